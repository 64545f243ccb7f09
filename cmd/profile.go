package cmd

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"

	"github.com/spf13/pflag"
)

// forDevelopers annotates flags that are in no document.
const forDevelopers = "developers"

// bindProfile adds the flag that nobody needs who only moves mail; it has no place in the help.
func bindProfile(set *pflag.FlagSet, dir *string) {
	set.StringVar(dir, "profile", "", "write cpu.pprof and allocs.pprof to `DIR`")
	flag := set.Lookup("profile")
	flag.Hidden, flag.Annotations = true, map[string][]string{forDevelopers: nil}
}

// profiled runs do, and writes what it cost into dir, if there is one.
func profiled(dir string, do func() error) (err error) {
	if dir == "" {
		return do()
	}
	create := func(name string) (*os.File, error) {
		f, err := os.OpenFile(filepath.Join(dir, name), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
		if err != nil {
			return nil, noInput("--profile", err)
		}
		return f, nil
	}
	cpu, err := create("cpu.pprof")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cpu.Close()) }()
	allocs, err := create("allocs.pprof")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, allocs.Close()) }()
	if err := pprof.StartCPUProfile(cpu); err != nil {
		return err
	}
	err = do()
	pprof.StopCPUProfile()
	runtime.GC() // the numbers of allocations are those of the last collection
	return errors.Join(err, pprof.Lookup("allocs").WriteTo(allocs, 0))
}
