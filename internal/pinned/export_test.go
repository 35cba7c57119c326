package pinned

// BuiltinSpellings hands the table's published spellings to the external test, which may import the checksum code.
func BuiltinSpellings() (spellings []string) {
	for _, row := range builtin {
		spellings = append(spellings, row.contract)
	}
	return spellings
}
