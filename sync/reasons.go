package sync

// Why a message or folder could not be carried as it is: the words that the state, the events and the docs use.
const (
	reasonFolder       = "folder"         // the folder could not be opened, made or read
	reasonListing      = "listing"        // lines of the source's list of folders could not be read: each may have been a folder
	reasonSubscription = "subscription"   // the folder is there and could not be subscribed
	reasonRefused      = "refused"        // the target refused the message
	reasonTooBig       = "too-big"        // larger than the target takes
	reasonEmpty        = "empty"          // no bytes at all: APPEND cannot carry it
	reasonUnreadable   = "unreadable"     // the source does not give the message
	reasonStub         = "stub"           // the source gives a text of its own in place of the message
	reasonAltered      = "altered"        // carried in another form: the target refused the message as it is
	reasonOverQuota    = "over-quota"     // the target has no room for what is still to come
	reasonFlag         = "flag"           // carried without a flag that target folders do not keep
	reasonDate         = "date"           // carried with another date: the source gave no INTERNALDATE, or none to believe, or the target refused it
	reasonGone         = "gone-on-target" // many messages that were carried are not on the target any more
	reasonMoved        = "moved"          // moved on the source when its copy was no longer where it had been carried to
	reasonAmbiguous    = "ambiguous"      // may have been stored and moved away by a rule: not sent again
	reasonLateDouble   = "late-double"    // stored twice by a dead connection, and could not be removed
	reasonDeletions    = "deletions"      // deleted on the source, and kept on the target: the folder looks emptied, or it is too many
)

// notCarried are the reasons of messages that are not on the target for all that is known. Once such a message is stored,
// it has nothing to tell any more.
func notCarried() []string {
	return []string{reasonRefused, reasonTooBig, reasonEmpty, reasonUnreadable, reasonStub, reasonMoved, reasonAmbiguous}
}

// quarantined are the reasons of messages that are kept as files.
func quarantined() []string { return []string{reasonRefused, reasonTooBig} }
