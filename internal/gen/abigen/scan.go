package main

import (
	"fmt"
	"strings"
)

const (
	sourceBytesMax  = 1 << 20
	lineBytesMax    = 1000
	identBytesMax   = 60
	tokensPerSchema = 100_000
)

// token is a word, a number, a quoted string or one symbol of the source.
type token struct {
	text string
	line int
}

// source is a proto file taken apart: its tokens, and its comments by line.
// Comments live apart because they may stand anywhere and mean something only
// next to what they describe.
type source struct {
	tokens   []token
	comments map[int]comment
}

type comment struct {
	text     string
	trailing bool // something stands before it on its line
}

// scan splits a file into tokens. It knows // comments only: a block comment is
// outside the subset, and so is every character the grammar has no use for.
func scan(text string) (*source, error) {
	if len(text) > sourceBytesMax {
		return nil, fmt.Errorf("schema has %d bytes, at most %d are read", len(text), sourceBytesMax)
	}
	src := &source{comments: map[int]comment{}}
	for i, line := range strings.Split(text, "\n") {
		if err := src.scanLine(line, i+1); err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
	}
	return src, nil
}

func (s *source) scanLine(line string, number int) error {
	if len(line) > lineBytesMax {
		return fmt.Errorf("%d bytes long, at most %d are read", len(line), lineBytesMax)
	}
	before := len(s.tokens)
	for rest := strings.TrimLeft(line, " \t"); rest != ""; rest = strings.TrimLeft(rest, " \t") {
		if after, ok := strings.CutPrefix(rest, "//"); ok {
			s.comments[number] = comment{
				text: strings.TrimSpace(after), trailing: len(s.tokens) > before,
			}
			return nil
		}
		size, err := tokenSize(rest)
		if err != nil {
			return err
		}
		if len(s.tokens) == tokensPerSchema {
			return fmt.Errorf("more than %d tokens", tokensPerSchema)
		}
		s.tokens = append(s.tokens, token{rest[:size], number})
		rest = rest[size:]
	}
	return nil
}

func tokenSize(rest string) (int, error) {
	switch c := rest[0]; {
	case strings.IndexByte("{}=;", c) >= 0:
		return 1, nil
	case c == '"':
		end := strings.IndexByte(rest[1:], '"')
		if end < 0 {
			return 0, fmt.Errorf("string does not end on its line")
		}
		return end + 2, nil
	case isWord(c):
		size := 1
		for size < len(rest) && (isWord(rest[size]) || rest[size] == '.') {
			size++
		}
		if size > identBytesMax {
			return 0, fmt.Errorf("word of %d bytes, at most %d", size, identBytesMax)
		}
		return size, nil
	default:
		return 0, fmt.Errorf("%q is outside the subset", c)
	}
}

func isWord(c byte) bool {
	return c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// docAbove returns the comment lines that stand directly above a line.
func (s *source) docAbove(line int) []string {
	first := line
	for {
		c, ok := s.comments[first-1]
		if !ok || c.trailing {
			break
		}
		first--
	}
	var doc []string
	for ; first < line; first++ {
		doc = append(doc, s.comments[first].text)
	}
	return doc
}

// docBeside returns the comment at the end of a line without its annotations,
// and the annotations: the words from the first "@" on.
func (s *source) docBeside(line int) (doc []string, annotations []string) {
	c, ok := s.comments[line]
	if !ok {
		return nil, nil
	}
	text, marks, found := strings.Cut(c.text, "@")
	if found {
		annotations = strings.Fields("@" + marks)
	}
	if text = strings.TrimSpace(text); text != "" {
		doc = []string{text}
	}
	return doc, annotations
}
