package toolchain

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/purserhq/purser/abi"
)

// byteOffset is how package abi says where in a JSON document it stopped: "byte 12", or "Manifest.facts, byte 12".
var byteOffset = regexp.MustCompile(`^(?:(.*), )?byte ([0-9]{1,9})$`)

// InFile gives an error about a JSON document the file that it came from: as "file:line:col" where the error says at
// which byte reading stopped, and otherwise the file and what the error names in it. Other errors stay as they are.
func InFile(err error, file string, document []byte) error {
	var coded *abi.Error
	if !errors.As(err, &coded) {
		return err
	}
	placed := *coded
	stopped := coded
	// A manifest's own error names no place when its JSON cannot be read; the cause does.
	if coded.Where == "" && !errors.As(coded.Cause, &stopped) {
		placed.Where = file
		return &placed
	}
	match := byteOffset.FindStringSubmatch(stopped.Where)
	if match == nil {
		placed.Where = strings.TrimSuffix(file+": "+coded.Where, ": ")
		return &placed
	}
	at, _ := strconv.Atoi(match[2]) // nine digits
	before := document[:min(at, len(document))]
	line := bytes.Count(before, []byte("\n")) + 1
	column := utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:]) + 1
	placed.Where = fmt.Sprintf("%s:%d:%d", file, line, column)
	if stopped != coded {
		placed.Message, placed.Cause = coded.Message+": "+stopped.Message, stopped.Cause
	}
	if match[1] != "" {
		placed.Message += " (in " + match[1] + ")"
	}
	return &placed
}
