// Command notices prints THIRD_PARTY_NOTICES: the licence texts of every module that is linked into the
// mailmove binary, in the order of their paths. Same modules, same bytes.
package main

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

type module struct{ Path, Version, Dir string }

func main() {
	out := bufio.NewWriter(os.Stdout)
	if err := errors.Join(run(out), out.Flush()); err != nil {
		fmt.Fprintln(os.Stderr, "notices:", err)
		os.Exit(1)
	}
}

func run(w io.Writer) error {
	mods, err := linked("mailmove/cmd/mailmove")
	if err != nil {
		return err
	}
	fmt.Fprint(w, "# Third-party notices\n\n"+
		"The mailmove binary contains the Go standard library and the modules below. Their licences ask for these\n"+
		"texts beside the binary. Made by `make notices`; `make lint` checks that it is current.\n")
	goLicence, err := goroot()
	if err != nil {
		return err
	}
	if err := section(w, "Go standard library and runtime", []string{goLicence}); err != nil {
		return err
	}
	for _, m := range mods {
		files, err := licences(m.Dir)
		if err != nil {
			return fmt.Errorf("%s: %w", m.Path, err)
		}
		if err := section(w, m.Path+" "+m.Version, files); err != nil {
			return err
		}
	}
	return nil
}

// linked lists the modules that give at least one package to the binary on the platform it is released for.
func linked(pkg string) ([]module, error) {
	list := exec.Command("go", "list", "-buildvcs=false", "-deps", "-json=Module", pkg)
	list.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64")
	list.Stderr = os.Stderr
	answer, err := list.Output()
	if err != nil {
		return nil, err
	}
	var mods []module
	for dec := json.NewDecoder(bytes.NewReader(answer)); ; {
		var p struct{ Module *module }
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, err
		}
		if p.Module != nil && p.Module.Version != "" {
			mods = append(mods, *p.Module)
		}
	}
	slices.SortFunc(mods, func(a, b module) int { return cmp.Compare(a.Path, b.Path) })
	return slices.Compact(mods), nil
}

// goroot finds Go's own licence: Debian and some images keep it elsewhere than the downloads of go.dev.
func goroot() (string, error) {
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return "", err
	}
	for _, path := range []string{filepath.Join(strings.TrimSpace(string(root)), "LICENSE"), "/usr/share/licenses/go/LICENSE"} {
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	return "", errors.New("the LICENSE of Go is not beside it")
}

// licences finds the licence, notice and patent files at the root of a module.
func licences(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	name := regexp.MustCompile(`(?i)^(licen[cs]e|copying|notice|patents)([-._].*)?$`)
	var files []string
	for _, e := range entries {
		if !e.IsDir() && name.MatchString(e.Name()) && !strings.HasSuffix(e.Name(), ".go") {
			files = append(files, filepath.Join(dir, e.Name()))
		}
	}
	if len(files) == 0 {
		return nil, errors.New("no licence file; look at the module and decide")
	}
	return files, nil
}

func section(w io.Writer, title string, files []string) error {
	fmt.Fprintf(w, "\n## %s\n", title)
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "\n%s:\n\n", filepath.Base(f))
		for line := range strings.Lines(strings.TrimSpace(strings.ReplaceAll(string(text), "\r\n", "\n")) + "\n") {
			fmt.Fprint(w, strings.TrimRight("    "+line, " \n")+"\n")
		}
	}
	return nil
}
