// Starts programs that print one line of JSON when they are ready, and stops them again by their process id.
import { spawn } from "node:child_process";

const readyMillisecondsMax = 120_000;
const stopMillisecondsMax = 15_000;
const outputCharactersMax = 20_000;

export class Processes {
  #running = [];

  // start resolves with the ready line; it rejects with what the program said when it ends or stays silent.
  start(command, args, env = {}) {
    const child = spawn(command, args, { env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"] });
    this.#running.push(child);
    let out = "";
    let errors = "";
    child.stderr.on("data", (chunk) => (errors = (errors + chunk).slice(-outputCharactersMax)));
    return new Promise((resolve, reject) => {
      const fail = (why) => {
        clearTimeout(timer);
        reject(new Error(`${command} ${args.join(" ")}: ${why}\n${out}${errors}`));
      };
      const timer = setTimeout(() => fail("not ready in time"), readyMillisecondsMax);
      child.once("error", (error) => fail(error.message));
      child.once("exit", (code, signal) => fail(`ended with ${signal ?? code}`));
      child.stdout.on("data", (chunk) => {
        out = (out + chunk).slice(-outputCharactersMax);
        const line = out.split("\n").find((text) => text.startsWith("{") && text.endsWith("}"));
        if (line === undefined) return;
        clearTimeout(timer);
        resolve(JSON.parse(line));
      });
    });
  }

  // run waits for a program that ends by itself.
  run(command, args, env = {}) {
    const child = spawn(command, args, { env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"] });
    this.#running.push(child);
    let stdout = "";
    let stderr = "";
    child.stdout.on("data", (chunk) => (stdout += chunk));
    child.stderr.on("data", (chunk) => (stderr += chunk));
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => child.kill("SIGKILL"), readyMillisecondsMax);
      child.once("error", reject);
      child.once("close", (code) => {
        clearTimeout(timer);
        resolve({ code, stdout, stderr });
      });
    });
  }

  // stop ends everything that was started, the last one first.
  async stop() {
    for (const child of this.#running.reverse()) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const gone = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGTERM");
      const timer = setTimeout(() => child.kill("SIGKILL"), stopMillisecondsMax);
      await gone;
      clearTimeout(timer);
    }
    this.#running = [];
  }
}
