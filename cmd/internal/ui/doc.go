// Package ui renders the events of a pass: a progress bar on a terminal, plain lines elsewhere, nearly nothing
// for cron, JSON lines for programs.
//
// Invariants:
//
//   - It imports the engine for its events only, and never decides anything: exit codes and error lines are
//     cmd's.
//   - Text that comes from mail or from a server reaches the screen only through Clean (JSON: EscapeJSON),
//     so that no folder name can move the cursor, change colours or turn letters around.
//   - Output for people fits 80 columns. Results go to Out, problems and progress to Err.
//
// Where to change what: clean.go escaping and widths, report.go the words of the summary, terminal.go, plain.go
// and jsonlines.go one way of rendering each. docs/events.md describes the JSON lines; a test compares.
package ui
