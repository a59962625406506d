/**
 * Goal: without a quorum of acceptors nothing is acknowledged, `why` names those who are missed,
 * and it goes on by itself when they are back.
 * Method: two of three acceptors are stopped with SIGSTOP, which no supervisor mends.
 */
import { afterEach, expect, it } from "vitest";
import { isAlive, Processes, until } from "../cli/processes.js";
import { slowMs, Town, testMs } from "./cluster.js";

const processes = new Processes();
/** A stopped process does not see that its supervisor is gone. */
const stopped: number[] = [];
afterEach(async () => {
  for (const pid of stopped.splice(0)) if (isAlive(pid)) process.kill(pid, "SIGCONT");
  await processes.clear();
});

it(
  "two of three acceptors stopped: nothing is acknowledged, and `why` says why",
  async () => {
    const town = await Town.bringUp(processes, await processes.folder(), ["--embedded"]);
    await town.send(200);
    await town.prints(200);
    const status = await town.status();
    for (const id of ["a2", "a3"]) {
      const pid = status.roles.find((row) => row.role === "acceptor" && row.id === id)?.pid ?? 0;
      stopped.push(pid);
      process.kill(pid, "SIGSTOP");
    }
    await town.send(100);
    const lonely = await town.run("propose", "lonely", "--timeout", "1500");
    expect(lonely).toMatchObject({ code: 3, stdout: "" });
    expect(lonely.stderr).toMatch(
      /^synod: .+ within 1500 ms( on \S+, chosen by .+)?: .+\(synod why says what is awaited\)\n$/,
    );
    let told = "";
    await until(async () => {
      const waits = (await town.why()).flatMap(({ waits, role }) =>
        waits.map((wait) => ({ ...wait, role })),
      );
      told = JSON.stringify(waits);
      return waits.some(
        ({ from, have, need, sinceMs, reason }) =>
          from.includes("a2") &&
          from.includes("a3") &&
          !from.includes("a1") &&
          have < need &&
          sinceMs > 0 &&
          reason !== "",
      );
    }, slowMs).catch((error: Error) => {
      throw new Error(`${error.message}: why told ${told}`);
    });
    const shown = await town.run("status", "--json");
    const { roles } = JSON.parse(shown.stdout) as { roles: { id: string }[] };
    expect(roles.find(({ id }) => id === "a2")).toMatchObject({ state: "silent", pid: null });
    expect(town.printed).toBe(200);
    for (const pid of stopped) process.kill(pid, "SIGCONT");
    await town.prints(300);
    const { stdout } = await town.run("chosen");
    const lines = stdout.split(/(?<=\n)/).filter((line) => line !== "lonely\n");
    expect(lines).toEqual(town.sent);
  },
  testMs,
);
