// Command mailmove moves mailboxes from one IMAP server to another.
package main

import (
	"os"

	"mailmove/cmd"
)

func main() {
	os.Exit(cmd.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
