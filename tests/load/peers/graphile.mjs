// graphile-worker with its defaults. `latency`: mean milliseconds from enqueue to start, idle. `throughput`: jobs per second, 24 at once.
import { run, runMigrations, Logger } from "graphile-worker";
import pg from "pg";

const connectionString = process.env.PEER_DATABASE_URL;
const logger = new Logger(() => () => {});
const pool = new pg.Pool({ connectionString, max: 30 });
const started = new Map();
let done = 0;
const options = { pgPool: pool, logger, noHandleSignals: true, concurrency: process.argv[2] === "latency" ? 4 : 24 };
const taskList = {
  noop: async (payload) => {
    started.get(payload.n)?.(performance.now());
    done += 1;
  },
};
await runMigrations(options);

if (process.argv[2] === "latency") {
  const runner = await run({ ...options, taskList });
  const times = [];
  for (let n = 0; n < 320; n += 1) {
    const start = new Promise((resolve) => started.set(n, resolve));
    const before = performance.now();
    await pool.query("SELECT graphile_worker.add_job('noop', json_build_object('n', $1::int))", [n]);
    times.push((await start) - before);
    started.delete(n);
    await new Promise((resolve) => setTimeout(resolve, 3));
  }
  await runner.stop();
  const kept = times.slice(20);
  console.log((kept.reduce((a, b) => a + b) / kept.length).toFixed(4));
} else {
  const count = 15000;
  await pool.query("SELECT graphile_worker.add_job('noop', json_build_object('n', n)) FROM generate_series(1, $1::int) n", [count]);
  const before = performance.now();
  const runner = await run({ ...options, taskList });
  while (done < count) await new Promise((resolve) => setTimeout(resolve, 5));
  const seconds = (performance.now() - before) / 1000;
  await runner.stop();
  console.log((count / seconds).toFixed(1));
}
await pool.end();
process.exit(0);
