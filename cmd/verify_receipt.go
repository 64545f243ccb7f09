package cmd

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"mailmove/cmd/internal/ui"
	"mailmove/imapx"
	"mailmove/sync/verify"
)

// receiptFile is a receipt that is to be written. It is made before the first connection: an hour of reading must not end
// with a folder that cannot be written to. What was there stays until the new one is whole.
type receiptFile struct {
	path  string   // as it was given
	place string   // where it lies, see placeOf
	file  *os.File // nil: none is wanted, or it is done
}

func openReceipt(path string) (*receiptFile, error) {
	r := &receiptFile{path: path}
	if path == "" {
		return r, nil
	}
	place, err := placeOf(path)
	if err != nil {
		return nil, noInput("--receipt", err)
	}
	file, err := os.CreateTemp(filepath.Dir(place), "."+filepath.Base(place)+".*") // its owner's alone: it names folders
	if err != nil {
		var whole *os.PathError
		if errors.As(err, &whole) {
			whole.Path = path
		}
		return nil, noInput("--receipt", err)
	}
	r.place, r.file = place, file
	return r, nil
}

func (r *receiptFile) write(c *verify.Receipt) error {
	if r.file == nil {
		return nil
	}
	err := errors.Join(c.Write(r.file), r.file.Sync(), r.file.Close())
	if err == nil {
		err = os.Rename(r.file.Name(), r.place)
	}
	if err != nil {
		return &failure{code: exitOutput, what: fmt.Sprintf("--receipt %s: %v", r.path, cause(err)), err: err,
			hint: "both sides were compared; only the receipt is lost"}
	}
	r.file = nil
	return nil
}

// drop removes what was not written to its end.
func (r *receiptFile) drop() {
	if r.file != nil {
		r.file.Close()
		os.Remove(r.file.Name())
	}
}

// holdReceipt is "verify --receipt FILE --against SIDE".
func (f *verifyFlags) holdReceipt(c *cobra.Command, a *app) (err error) {
	if err := f.checkAgainst(c.Flags()); err != nil {
		return err
	}
	flags := &f.target
	if f.against == "source" {
		flags = &f.source
	}
	ep, err := flags.endpoint()
	if err != nil {
		return err
	}
	receipt, err := readReceipt(f.receipt)
	if err != nil {
		return err
	}
	dir, err := stateDir(f.stateDir)
	if err != nil {
		return err
	}
	f.placeTokens()
	if ep, err = flags.login(c.Context(), ep, terminal{a.in, a.err}); err != nil {
		return err
	}
	p := &pass{account: receipt.Account, source: ep, target: ep, stateDir: dir, loginNow: f.loginNow, dryRun: true}
	logins, err := p.openLogins(c.Context(), a, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, logins.close()) }()
	f.warnOfOther(a, receipt, ep)
	out := &verifyOutput{app: a, account: receipt.Account, json: f.json}
	differ, err := out.held(c.Context(), side(logins.target, p.target, false), receipt, f.against)
	if err != nil {
		return a.ofAccount(receipt.Account, err)
	}
	if differ == 0 {
		return nil
	}
	return &failure{code: exitNotEqual, what: fmt.Sprintf("the %s is not what the receipt says: %s (account %s)", f.against,
		countText(differ, "folder differs", "folders differ"), receipt.Account),
		hint: "where the other side is still there, mailmove verify says which messages"}
}

// warnOfOther tells where the receipt names another mailbox: it may have moved, or it is the wrong file.
func (f *verifyFlags) warnOfOther(a *app, receipt *verify.Receipt, ep imapx.Endpoint) {
	was := receipt.Target.Endpoint
	if f.against == "source" {
		was = receipt.Source.Endpoint
	}
	if was != endpointText(ep) {
		a.warn("the receipt is of %s, and this is %s", was, endpointText(ep))
	}
}

func readReceipt(path string) (*verify.Receipt, error) {
	file, err := os.Open(filepath.Clean(path))
	if err != nil {
		return nil, noInput("--receipt", err)
	}
	defer file.Close()
	receipt, err := verify.ReadReceipt(file)
	if err != nil {
		return nil, &failure{code: exitNoInput, what: fmt.Sprintf("--receipt %s: %v", ui.Clean(path), err), err: err,
			hint: "give the file that mailmove verify --receipt wrote"}
	}
	return receipt, nil
}
