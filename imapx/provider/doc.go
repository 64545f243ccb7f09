// Package provider is one table of what mail services and servers are and want: a Row for each, with its limits, the folders
// of it that hold no mail, its words for "not now", and what else a migration has to know. It knows no connections.
//
// Recognise finds the Row of a server from what it said: host, ID (RFC 2971), greeting and capabilities, in this order of
// trust. A server that no row fits has the zero Row, whose Known is false. A row never makes anything up that a capability
// says better: what a server can do is read from its capabilities alone; a Row tells what no capability tells.
//
// Fields of a Row, for those who show it: Key (one word, stable, for JSON), Name (for people), Evidence (Live or Documents:
// how far the row was tried), Limits (zero fields: unknown), Skips and Words (what is left out, and how it says "later"),
// Notes (sentences for people), Sources (where the facts are from).
//
// Invariants:
//   - A folder is only left out here where a server gives it a name of its own making; Left gives the reason, which is shown.
//   - Words are tried on every server, recognised or not: a refusal may come before anybody is recognised (imapx/classify.go).
//
// Where to change what: table.go, table_hosted.go and table_servers.go are the rows; folders.go decides what is no mail;
// words.go has what texts mean; recognise.go the order of trust. docs/providers.md is made from the table (make docs).
package provider
