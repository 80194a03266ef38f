"""The IETF draft "Resumable Uploads for HTTP" (draft-ietf-httpbis-resumable-upload), in all of its dialects.

A door goes round like this; everything but the four calls is its own::

    act = acts.parse(request.method, request.headers)     # None: the request is not of this protocol
    state = ...                                           # asked of core; None: there is no such upload
    verdict = rules.judge(act, state, limits)
    if isinstance(verdict, Refusal):                      # in the words of RFC 9457
        return answers.refused(act, verdict, state, limits)
    if isinstance(verdict, Accepted):                     # core appends the body: at ``start``, ``room`` bytes of it
        if fields := answers.announcement(act, location, limits):
            request.inform(104, fields)                   # and answers.progress() while it becomes durable
        outcome = rules.settle(verdict, received, whole=...)
        ...                                               # core records outcome.state
        return answers.created(...) or answers.appended(...) or the door's own with answers.state_fields(...)
    if isinstance(verdict, Repeated):                     # complete already: the door's final answer once more
        ...
    return answers.told(...) or answers.cancelled(...) or answers.options(...)   # Granted: there is no body to take

``dialects`` is the table of what differs, ``acts`` reads heads, ``rules`` judge them, ``refusals`` and ``answers``
write. Nothing raises but ArgumentInvalid, for a Location that cannot be a field.
"""
