// How the long-running scripts start and stop: loopback only, one line of JSON when ready, gone on SIGTERM.
export function serve(app, port, ready) {
  const server = app.listen(port, "127.0.0.1", (error) => {
    if (error) throw error;
    console.log(JSON.stringify({ ...ready, url: `http://127.0.0.1:${server.address().port}` }));
  });
  process.once("SIGTERM", () => {
    server.close();
    server.closeAllConnections();
  });
  return server;
}
