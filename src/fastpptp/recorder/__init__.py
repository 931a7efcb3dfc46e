"""The recorder: the process that keeps the event log and feeds every other place events go to.

A child of the headend (`python -m fastpptp.recorder`), so that neither disk, nor network, nor a
flood of events is ever waited for by a session. `process` is its loop, `wire` what the two say to
each other, `log` the writer of events.db, `query` the reader, `sinks` the thread of each sink,
`kinds` what the sinks are.
"""
