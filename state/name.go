package state

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const (
	extension   = ".db"
	lockSuffix  = ".lock"    // after the extension
	maxReadable = 100        // bytes of the account id that a file name keeps
	fleetFile   = "fleet.db" // beside them in the folder, package fleet's
)

// FileName gives the name of an account's state file. It is the account id where that is lower-case ASCII and
// safe on every file system; else what is not is replaced, and a short hash of the whole id follows a "~", which
// no id keeps, so that two ids never share a name. No account has the name of the fleet file.
func FileName(account string) string {
	clean := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', strings.ContainsRune("@._+=-", r):
			return r
		case r >= 'A' && r <= 'Z': // two ids may differ in case only, some file systems do not
			return r + 'a' - 'A'
		}
		return '_'
	}, account)
	clean = clean[:min(len(clean), maxReadable)]
	if strings.HasPrefix(clean, ".") || strings.HasPrefix(clean, "-") { // hidden files, options
		clean = "_" + clean[1:]
	}
	if clean == account && clean != "" && clean+extension != fleetFile && !reserved(clean) {
		return clean + extension
	}
	sum := sha256.Sum256([]byte(account))
	return clean + "~" + hex.EncodeToString(sum[:8]) + extension
}

// reserved tells the names that are devices on Windows, with any extension; a state folder may be copied there.
func reserved(name string) bool {
	stem, _, _ := strings.Cut(name, ".")
	switch stem {
	case "con", "prn", "aux", "nul":
		return true
	}
	return len(stem) == 4 && (stem[:3] == "com" || stem[:3] == "lpt") && stem[3] >= '0' && stem[3] <= '9'
}

// List gives the paths of the state files in a folder, sorted; a folder that is not there has none.
func List(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, classify(dir, "list state files", err)
	}
	var paths []string
	for _, e := range entries {
		if e.Name() != fleetFile && e.Type().IsRegular() && strings.HasSuffix(e.Name(), extension) && !strings.HasPrefix(e.Name(), ".") {
			paths = append(paths, filepath.Join(dir, e.Name()))
		}
	}
	slices.Sort(paths)
	return paths, nil
}
