// Package sync is the engine: one pass over one account, from what both servers list to committed marks.
//
// Invariants:
//
//   - It works through the ports Source and Target (engine.go) alone. A Source has no verb that changes
//     anything; only Reverse connects the old side as a Target.
//   - Nothing is appended without an intent in the state, and no intent is closed while one of its messages has no
//     answer (window.go, recover.go; docs/state.md explains the protocol).
//   - Marks are committed when everything below them is settled, and never ahead of what was read.
//   - Bodies in memory are bounded by budget.go; whoever waits for room first makes everybody send what they hold.
//   - What the user of the target decided stays: messages are matched by the ledger, flags merged three ways.
//   - It never prints. Events (event.go) tell what happens; errors are returned, classified by imapx.
//
// Where to change what:
//
//   - which folder goes where: mapping.go with rules.go (what an admin says), special.go (special folders), names.go
//     and legal.go (names that a target takes); what a pair needs in a pass: plan.go (all pure functions);
//   - Gmail's labels: labels.go (which folders are left out, keywords), archive.go (what of All Mail is carried);
//   - the plan for people: preview.go; several source folders in one target folder: siblings.go;
//   - the look at both sides before a first pass: check.go, check_gather.go and check_read.go (what is
//     asked), check_judge.go (what it means), check_line.go;
//   - the order of a pass: attempt.go, lane.go; retries: pass.go;
//   - bodies: copy.go (source to letters), writer.go (letters to windows), window.go (one batch);
//   - mail that the target refuses: ladder.go, alter.go with alter_stages.go (what is altered), looseform.go (why an
//     altered copy is the same message); a full target: quota.go; stub.go;
//   - flags: flags.go, delta.go, lostflags.go; mail that is on both sides already: adopt.go with match.go and identity.go,
//     matchfirst.go where some of it may have been moved;
//   - deletions: deletions.go, deletions_judge.go (what is proven), deletions_do.go (what is done, and taken back);
//   - after a lost connection or a kill: recover.go with locate.go; after the target renumbered: adrift.go;
//   - the cutover: final.go, modes.go (new mail only), reverse.go (the way back); one mailbox or two: apart.go.
//
// Inside code that also needs the standard library's sync, import this package as mailsync.
package sync
