package provider

// Rows is the table: services first, then the servers that people run themselves. The order decides between rows that fit
// equally well, and nothing else.
func Rows() []Row { return append(hosted(), servers()...) }

const (
	megabyte = 1_000_000
	mebibyte = 1 << 20
)
