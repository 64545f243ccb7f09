// Package spelling finds the name that a typing error was meant as.
package spelling

// Nearest gives the first of the names that are the fewest letters away from typed (Levenshtein), most at the most;
// "" where none is so near.
func Nearest(typed string, names []string, most int) string {
	best, least := "", most+1
	for _, n := range names {
		if d := distance(typed, n); d < least {
			best, least = n, d
		}
	}
	return best
}

// distance counts the letters to insert, delete or replace.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			diagonal, row[j] = row[j], min(row[j]+1, row[j-1]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
