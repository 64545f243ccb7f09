// Package sharing is what the accounts of one run have in common: how many connections each server is asked for, which
// server wants a pause, and how fast all of them together may be.
//
// Invariants:
//
//   - A server never has more connections than its limit, nor has a login. What is held counts until it is given back.
//   - An account gets its first connections to both sides at once or not at all, so no two accounts wait for each
//     other. Whatever comes on top of them is given or refused, never waited for.
//   - Every wait ends with its context. Nothing here dials, logs or knows what an account is.
//
// Where to change what: slots.go counts connections, pause.go waits for servers, rate.go slows down.
package sharing
