// Package notify tells people and programs what happened: by mail, by a webhook, by a command.
//
// Invariants:
//
//   - Nobody waits for a delivery. It has a goroutine of its own, each has a deadline, and Close bounds what is left.
//   - What is to be told is on disk before it is told (Store), and what was told is noted after it was. A process that dies
//     between the two tells it again under the same ID: at least once, and the ID lets the receiver see a second one.
//   - What an event says is data: it cannot add a header, a line of protocol, an argument or a word for a shell.
//   - No error repeats a password or the address of a webhook, which may be a secret.
//
// Where to change what: the loop in notifier.go, each way to tell in mail.go, hook.go and command.go, the words in templates/
// and words.go.
package notify
