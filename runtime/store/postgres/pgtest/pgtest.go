// Package pgtest gives tests a private Postgres: one server per test process, a schema per test. It refuses to run
// the server as root and to listen beyond this machine.
package pgtest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// EnvDSN names a server to use instead of a private one. Its user must be allowed to create schemas.
const EnvDSN = "PURSER_TEST_POSTGRES"

const (
	startTimeMax = 60 * time.Second
	stopTimeMax  = 20 * time.Second
	connsMax     = 200
)

// Start returns a connection string whose search_path is a schema of this test alone, dropped when the test ends.
// The first call of a process starts the server; Main stops it. Without Postgres the test is skipped, loudly, and
// fails where the environment says CI=true.
func Start(t testing.TB) (dsn string) {
	t.Helper()
	base, err := server()
	if errors.Is(err, errMissing) && os.Getenv("CI") != "true" {
		t.Skipf("SKIPPED: NO POSTGRES: %v; install it, or set %s", err, EnvDSN)
	}
	if err != nil {
		t.Fatalf("postgres for tests: %v", err)
	}
	schema := schemaOf(t)
	run(t, base, `CREATE SCHEMA `+pgx.Identifier{schema}.Sanitize())
	Drop(t, base, schema)
	return WithSchema(t, base, schema)
}

// Drop removes a schema, if it exists, when the test ends.
func Drop(t testing.TB, dsn, schema string) {
	t.Helper()
	t.Cleanup(func() { run(t, dsn, `DROP SCHEMA IF EXISTS `+pgx.Identifier{schema}.Sanitize()+` CASCADE`) })
}

// WithSchema returns the connection string with another search_path.
func WithSchema(t testing.TB, dsn, schema string) string {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil || u.Scheme == "" {
		t.Fatalf("%s must be a URL, postgres://…", EnvDSN)
	}
	query := u.Query()
	query.Set("search_path", schema)
	u.RawQuery = query.Encode()
	return u.String()
}

func run(t testing.TB, dsn, statement string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startTimeMax)
	defer cancel()
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	defer func() { _ = conn.Close(ctx) }() // the statement's error says more
	if _, err := conn.Exec(ctx, statement); err != nil {
		t.Errorf("%s: %v", statement, err)
	}
}

var (
	schemas   sync.Mutex
	schemaNum int
	notName   = regexp.MustCompile(`[^a-z0-9]+`)
)

func schemaOf(t testing.TB) string {
	schemas.Lock()
	defer schemas.Unlock()
	schemaNum++
	return fmt.Sprintf("t%d_%d_%.30s", os.Getpid(), schemaNum, notName.ReplaceAllString(strings.ToLower(t.Name()), "_"))
}

// errMissing: no Postgres on this machine.
var errMissing = errors.New("initdb and postgres are not in PATH nor in /usr/lib/postgresql")

var private struct {
	once    sync.Once
	err     error
	dsn     string
	dir     string
	process *exec.Cmd
}

func server() (string, error) {
	if dsn := os.Getenv(EnvDSN); dsn != "" {
		return dsn, nil
	}
	private.once.Do(func() { private.err = startServer() })
	return private.dsn, private.err
}

// Main runs a package's tests and stops the server: call os.Exit(pgtest.Main(m)) from TestMain.
func Main(m *testing.M) int {
	code := m.Run()
	if err := stopServer(); err != nil {
		fmt.Fprintln(os.Stderr, "pgtest: stop the server:", err)
		return 1
	}
	return code
}

// startServer makes a cluster in a new folder and runs postgres on a socket in it, without TCP.
func startServer() (err error) {
	initdb, err := find("initdb")
	if err != nil {
		return err
	}
	postgres, err := find("postgres")
	if err != nil {
		return err
	}
	owner, err := unprivileged()
	if err != nil {
		return err
	}
	// A socket's path has at most 107 bytes, which a test's own folder may exceed.
	if private.dir, err = os.MkdirTemp("", "pgt"); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, stopServer())
		}
	}()
	if owner != nil {
		if err := os.Chown(private.dir, owner.uid, owner.gid); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTimeMax)
	defer cancel()
	data := filepath.Join(private.dir, "data")
	create := exec.CommandContext(ctx, initdb, "-D", data, "-U", "purser", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync") // #nosec G204 -- found above
	create.Dir, create.SysProcAttr = private.dir, attributes(owner)
	if out, err := create.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, out)
	}
	// The server outlives ctx; stopServer ends it by its process.
	serve := exec.Command(postgres, "-D", data, "-k", private.dir, "-c", "listen_addresses=", //nolint:noctx // #nosec G204
		"-c", "max_connections="+strconv.Itoa(connsMax))
	serve.Dir = private.dir
	serve.SysProcAttr = attributes(owner)
	logFile, err := os.Create(filepath.Join(private.dir, "log")) // #nosec G304 -- our own folder
	if err != nil {
		return err
	}
	defer func() { _ = logFile.Close() }() // the server has its own handle
	serve.Stdout, serve.Stderr = logFile, logFile
	if err := serve.Start(); err != nil {
		return err
	}
	private.process = serve
	dsn := "postgres://purser@/postgres?host=" + url.QueryEscape(private.dir)
	if err := waitReady(ctx, dsn); err != nil {
		text, _ := os.ReadFile(logFile.Name())
		return fmt.Errorf("postgres did not start: %w: %s", err, text)
	}
	private.dsn = dsn
	return nil
}

func waitReady(ctx context.Context, dsn string) error {
	for {
		conn, err := pgx.Connect(ctx, dsn)
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// stopServer asks for a fast shutdown and removes the folder.
func stopServer() error {
	if private.process != nil {
		if err := private.process.Process.Signal(os.Interrupt); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return err
		}
		kill := time.AfterFunc(stopTimeMax, func() { _ = private.process.Process.Kill() })
		err := private.process.Wait()
		kill.Stop()
		if err != nil {
			return fmt.Errorf("postgres: %w", err)
		}
		private.process = nil
	}
	if private.dir == "" {
		return nil
	}
	return os.RemoveAll(private.dir)
}

func find(program string) (string, error) {
	for _, dir := range []string{"/usr/lib/postgresql/15/bin", "/usr/lib/postgresql/16/bin", "/usr/lib/postgresql/17/bin", "/usr/lib/postgresql/18/bin"} {
		path := filepath.Join(dir, program)
		if info, err := os.Stat(path); err == nil && info.Mode()&0o111 != 0 {
			return path, nil
		}
	}
	if path, err := exec.LookPath(program); err == nil {
		return path, nil
	}
	return "", errMissing
}

// account is who runs the server when the tests run as root.
type account struct{ uid, gid int }

// unprivileged finds that account; nil: the same user. Postgres refuses to run as root.
func unprivileged() (*account, error) {
	if os.Getuid() != 0 {
		return nil, nil //nolint:nilnil // nil is the word for "the same user"
	}
	for _, name := range []string{"postgres", "nobody"} {
		found, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uidErr := strconv.Atoi(found.Uid)
		gid, gidErr := strconv.Atoi(found.Gid)
		if uidErr == nil && gidErr == nil && uid > 0 {
			return &account{uid, gid}, nil
		}
	}
	return nil, errors.New("running as root, and there is neither a user postgres nor nobody")
}
