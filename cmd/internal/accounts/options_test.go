package accounts

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// Options of imapsync's mean the same here, or the row is refused with what to do.
func TestImapsyncOptions(t *testing.T) {
	for options, want := range map[string]string{
		"":                                   "",
		"--automap --addheader --nosyncacls": "",
		"--subfolder2 Old --subfolder1=Sub":  "--into Old --from Sub",
		"--maxage 30 --minage 2":             "--newer-than 30d --older-than 2d",
		"--maxsize 1000000":                  "--max-size 1000000B",
		"--maxage 0":                         "",
		"--maxage 1.5":                       "! that is no whole number of days",
		"--f1f2 'A b=C d'":                   "--map A b=C d",
		"--folder INBOX --folder 'a*b'":      `--include INBOX --include a\*b`,
		"--exclude '^(?:Spam)$'":             "! cannot be written as a glob",
		"--exclude '(?:Spam|Junk)'":          "--exclude *Spam* --exclude *Junk*",
		`--exclude '^INBOX\.Trash'`:          "--exclude INBOX.Trash*",
		`--exclude '^a.b.*c$'`:               "--exclude a?b*c",
		`--exclude '[Ss]pam'`:                "! cannot be written as a glob",
		`--exclude 'a+'`:                     "! cannot be written as a glob",
		`--exclude 'a\d'`:                    "! cannot be written as a glob",
		`--include '^(?i)x'`:                 "! cannot be written as a glob",
		"--dry":                              "! --dry is not taken over",
		"--authuser1 admin":                  "user admin for u1",
		"--ssl2 --port2 993":                 "port",
		"--ssl1 --tls1":                      "! the row says implicit too",
		"--passfile1 /etc/pw":                "--source-password-file /etc/pw",
		"--delete":                           "! --delete is not taken over",
		"--delete2 --automap":                "! --delete2 is not taken over",
		"--expunge1":                         "! --expunge1 is not taken over",
		"--nossl1":                           "! --nossl1 is not taken over",
		"--justlogin":                        "! --justlogin is not taken over",
		"--pipemess 'rm -rf /'":              "! --pipemess has no meaning here",
		"--maxage":                           "! --maxage has no value",
		"--exclude 'a":                       "! a quote is not closed",
		"automap":                            "! that is no option",
	} {
		r := readText(t, "# list\nh1;u1;p1;h2;u2;p2;"+options+";\n").Rows[0]
		got := strings.Join(r.Args, " ")
		switch {
		case len(r.Problems) > 0:
			got = "! " + r.Problems[0].Text
		case r.Fields["source_authzid"] != "":
			got = "user " + r.Fields["source_user"] + " for " + r.Fields["source_authzid"]
		case r.Fields["target"] == "h2:993" && r.Fields["target_tls"] == "implicit":
			got = "port"
		}
		if refused, is := strings.CutPrefix(want, "! "); is && strings.HasPrefix(got, "! ") && strings.Contains(got, refused) {
			continue
		}
		if got != want {
			t.Errorf("%s: %s, want %s", options, got, want)
		}
	}
}

// Words are split as a shell does it, and written so that they are split into the same.
func TestWords(t *testing.T) {
	for text, want := range map[string][]string{
		`a  b`: {"a", "b"}, `"a b" c`: {"a b", "c"}, `'a"b'`: {`a"b`}, `a\ b`: {"a b"}, `--x="a b"`: {"--x=a b"}, `''`: {""}, " ": nil,
	} {
		if got, err := splitWords(text); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %q %v", text, got, err)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		words := rapid.SliceOfN(rapid.StringMatching(`[a-z'"\\ \t=$*-]{0,8}`), 1, 5).Draw(t, "words")
		if got, err := splitWords(JoinWords(words)); err != nil || !slices.Equal(got, words) {
			t.Fatalf("%q become %q: %q %v", words, JoinWords(words), got, err)
		}
	})
}
