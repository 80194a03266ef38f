"""tus 1.0.0, the resumable upload protocol (tus.io), with its extensions but for trailing checksums.

A door goes round like this; everything but the five calls is its own::

    act = acts.parse(request.method, request.headers)     # None: the method is none of tus's
    state = ...                                           # asked of core; None: there is no such upload
    verdict = rules.judge(act, state, max_size)
    if isinstance(verdict, Refusal):
        return answers.refused(verdict)
    if isinstance(verdict, Accepted):                     # core appends the body: at ``start``, ``room`` bytes of it
        outcome = rules.settle(verdict, received, whole=...)
        ...                                               # core records outcome.state
        return answers.refused(outcome.refusal) or answers.created(...) or answers.appended(...)
    if isinstance(verdict, Joining):                      # a final upload, of the uploads at ``act.parts``
        joined = rules.join(act, [...], max_size)         # their states, in that order
    return answers.told(...) or answers.terminated() or answers.options(...)   # Granted: there is no body to take

``metadata`` reads and writes Upload-Metadata, ``acts`` reads heads, ``rules`` judge them, ``refusals`` and
``answers`` write. Nothing raises but ArgumentInvalid, for what cannot be a field.
"""
