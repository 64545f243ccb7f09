package spelling

import "testing"

func TestNearest(t *testing.T) {
	names := []string{"source", "source-user", "target", "targets"}
	for typed, want := range map[string]string{"surce": "source", "source": "source", "targe": "target", "trgts": "targets", "quite else": "", "": ""} {
		if got := Nearest(typed, names, 1+len(typed)/3); got != want {
			t.Errorf("%q: %q, not %q", typed, got, want)
		}
	}
}
