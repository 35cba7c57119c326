package toolchain

import "context"

const goFix = "install Go 1.24 or newer: https://go.dev/dl"

// compileGo builds a reactor. The environment is emptied of what would change the bytes or reach the network: a
// workspace file, flags of the user, extensions of WebAssembly that the sandbox refuses.
func compileGo(ctx context.Context, folder, out string) error {
	tool, err := find(Go, goFix, "go")
	if err != nil {
		return err
	}
	return step{
		language: Go, folder: folder, tool: tool,
		environment: []string{"GOOS=wasip1", "GOARCH=wasm", "GOWORK=off", "GOFLAGS=", "GOWASM=", "CGO_ENABLED=0"},
		args:        []string{"build", "-buildmode=c-shared", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", out, "."},
	}.run(ctx)
}
