// Command kms is a key service of one file, honest or not, for the tests of the keystore.
package main

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	mode, verb := os.Args[1], os.Args[len(os.Args)-1]
	key, err := os.ReadFile(os.Args[2])
	if err != nil {
		return err
	}
	input, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	context := os.Getenv("PURSER_KEYSTORE_CONTEXT")
	switch mode {
	case "fails":
		return fmt.Errorf("COMPLAINT: no such key")
	case "complains":
		return fmt.Errorf("COMPLAINT %s", strings.Repeat("x", 1<<20))
	case "silent":
		return nil
	case "short":
		_, err := os.Stdout.Write(make([]byte, 63))
		return err
	case "endless":
		for err == nil {
			_, err = os.Stdout.Write(make([]byte, 4096))
		}
		return err
	case "hangs":
		child := exec.Command("sleep", "600") // it holds our standard output
		child.Stdout = os.Stdout
		if err := child.Start(); err != nil {
			return err
		}
		if err := os.WriteFile(os.Args[3], fmt.Append(nil, child.Process.Pid), 0o600); err != nil {
			return err
		}
		return child.Wait()
	case "other-key":
		key[0]++
	case "no-context":
		context = ""
	case "other-context":
		context += "0"
	}
	return serve(verb, key, []byte(context), input)
}

func serve(verb string, key, context, input []byte) error {
	block, err := aes.NewCipher(key)
	if err != nil {
		return err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return err
	}
	nonce := make([]byte, aead.NonceSize())
	var output []byte
	switch verb {
	case "wrap":
		if _, err := rand.Read(nonce); err != nil {
			return err
		}
		output = aead.Seal(nonce, nonce, input, context)
	case "unwrap":
		if output, err = aead.Open(nil, input[:len(nonce)], input[len(nonce):], context); err != nil {
			return err
		}
	default:
		return fmt.Errorf("unknown verb %q", verb)
	}
	_, err = os.Stdout.Write(output)
	return err
}
