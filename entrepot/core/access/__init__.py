"""Who may do what: one decision for every door, deny by default.

``sources`` says where rules come from, ``predicates`` turns what they say into functions, ``decisions`` answers.
"""

from entrepot.core.access.decisions import DEFAULT, Access, Explanation
from entrepot.core.access.predicates import Resource
from entrepot.core.access.sources import PRESENT, RuleSource
from entrepot.rules import Action

__all__ = ["DEFAULT", "PRESENT", "Access", "Action", "Explanation", "Resource", "RuleSource"]
