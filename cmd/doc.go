// Package cmd is the command line of mailmove: it binds flags, validates them, builds what the engine needs,
// runs it and renders what happens.
//
// Invariants:
//
//   - Only this package reads flags, the environment, files named on the command line and the terminal, and
//     only Main turns an error into an exit code. Nothing below prints or exits.
//   - A command is three moves: bind, validate, run. Its RunE holds no other logic.
//   - A password comes from a file, a command, the environment or a prompt, never from an argument or a URL,
//     and is an auth.Secret from the moment it is read.
//   - Standard input is read for prompts on a terminal only. In a shell loop it belongs to the loop.
//   - Every exit code is a row of the table in exit.go. docs/exit-codes.md and the help topic are made from it.
//
// Where to change what:
//
//	main.go       Main, the root command, how an error is printed
//	output.go     standard output and the trace, and what a write that fails does to the exit code
//	exit.go       the table of exit codes; exitmap.go gives each error its code
//	url.go        what --source and --target may hold
//	endpoint.go   endpoint flags and the endpoints made of them
//	password.go   where passwords come from
//	statedir.go   where the state is, and the default account id
//	values.go     flag values: sizes, intervals, TLS modes
//	stop.go       signals
//	words.go      what messages call users, accounts, times and files
//	usage.go      how help looks
//	logins.go     failed logins remembered across runs, and the first login of a side
//	run.go        the wiring of engine, sessions and state
//	whose.go      whether a state file is that of the mailboxes at hand
//	account.go    the state file of an account that there is
//	verify*.go    mailmove verify: flags, wiring, output, receipts
//	accounts*.go  mailmove accounts: lists, the columns that they may have, what is checked in their rows
//	export*.go    mailmove export: which accounts, what is looked through, the file and Postfix' index
//	completion.go what a shell is told that completes a line
//	sync.go, status.go, exceptions*.go, forget.go, version.go, demo.go   one command each
package cmd
