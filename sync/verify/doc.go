// Package verify compares both sides of an account afresh: what is said is what the servers give now. The ledger is not
// believed; it explains why something is not the same.
//
// Invariants:
//
//   - Both sides are read through connections that have no verb that could change anything.
//   - Nothing is skipped: each message of a folder pair is equal to one of the other side, or is a Difference.
//   - A difference has exactly one Word. Missing, Altered and Extra are never explained; nothing is explained by
//     guessing: where the ledger does not know, it is one of these.
//   - Bodies are hashed as they come and never held. Of a message some 100 bytes are kept while its folder is compared,
//     afterwards only of those that differ.
//
// Where to change what:
//
//   - verify.go: options, the course of a run; line.go: connections, and what is done when one is lost;
//   - read.go: what is read of a folder; match.go: which messages of both sides are one;
//   - ledger.go: what the state knows of a folder pair; explain.go: words for what differs;
//   - elsewhere.go: messages that are not in their folder; counts.go: the level that opens no folder;
//   - report.go: what a run found; receipt.go, against.go: the receipt, and one side held against it.
package verify
