"""A call in progress: where deciding and doing meet.

# Theory of operation

The ledger has one record for each call. A record goes through the states of `record.TRANSITIONS`: a
call is new, is answered, is routed, its legs ring, one leg is joined or none is, and the call ends.
docs/call-states.md draws the table.

What happens comes from three sides: events of the platform (`handle`), moments that have come
(`timers`), and what we do ourselves (`work`). Each of them changes the record by the table, in one
atomic step of the ledger, so order and repetition do no harm.

What is to be done is never stored. `agenda` reckons it from the record: a task and the moment when
it is due. Whoever changes a record looks at its agenda afterwards.

## Why a call is held

A transfer is a request to the platform, so a task lies between two changes of the record: take the
call, ask the platform, note what came of it. Meanwhile the worker holds a lease on the call. Others
note their events in the record and leave; the worker finds them at its next look. The lease is
renewed before each request that could outlast it.

## What may die where, and what mends it

- A worker dies before or after its request: a leg is left that is being sent. The lease runs out,
  and the next worker asks what became of the request (`doubt`).
- A worker dies after its answer to the callback: the same.
- An event is lost: a state lasts too long. A watchdog of the agenda asks the platform.
- The answer to a request is lost: the request is repeated only after proof (`doubt`).
- Redis dies: copies of the calls that this host works on stand in (`mirror`, `copies`, `merge`).
- Hosts differ in their clocks: `clock` follows the ledger's.
- The clock steps: moments lie too far ahead. `setback` brings them back.

## What must be changed together

- A new state: `record.TRANSITIONS`, `agenda`, `merge._CALL_STATES`; `make docs` draws it.
- A new task: its name and moment in `agenda`, its work in `tasks` or `leg_tasks`.
- A new moment in a record or a leg: `setback`, and `agenda` if something is due then.
- A new field of a record that comes from an event: `merge._CALLER`.
"""
