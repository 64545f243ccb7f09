package sync

import (
	"context"

	"mailmove/state"
)

// tellUnlisted makes an exception of the account of lines in the source's list that could not be read: each may have been a
// folder, and nobody would miss it. It is gone when all lines can be read.
func (a *attempt) tellUnlisted(ctx context.Context) error {
	if a.source.Lost == 0 {
		return a.State.ClearAccountExceptions(ctx, reasonListing, nil)
	}
	return a.except(ctx, state.Exception{Reason: reasonListing,
		Detail: counted(a.source.Lost, "line", "lines") + " of the " + a.from() + "'s list of folders cannot be read; each may be a folder that was not carried"})
}
