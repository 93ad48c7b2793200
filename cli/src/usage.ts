/** What `zfarm` can be told, as it says itself; the guides are compared with this. */
export const usage = `usage: zfarm COMMAND [options]

  up [--workers N|MIN..MAX] [--port P] [--data DIR] [--model DIR]
      run a farm on this machine until Ctrl-C; of MIN to MAX workers there are as many as work needs
  render "PROMPT" [--out FILE] [--size WxH] [--seed N] [--steps N] [-n N] [--preview FILE]
      [--guidance N [--negative "PROMPT"] [--normalization N] [--truncation N]]
      [--lora NAME[@VERSION][:WEIGHT]]... [--class interactive|standard|batch] [--priority N]
      [--deadline TIME]
      render on a running farm; prints the path of each picture
  workers [list] [--pool P] [--state S] [--json] | show NAME
      | victims [--pool P] [--count N]
      list the workers; look at one: what it runs and holds; say which to take away first
  workers drain|resume|unlock|forgive NAME | lock NAME [--reason TEXT]
      | quarantine NAME --reason TEXT [--for TIME]
      drain one that is to go, or all of pools/NAME; lock one that is to stay; put one aside
  job get|watch|cancel|pause|resume|approve|retry|explain ID [--task N]
      look at a job, follow it, hold it, end it, try again what failed, say why it waits
  job update ID [--class C] [--priority N] [--deadline TIME|none] [--max-concurrency N]
      [--max-failed N] [--sample N] [--etag E]
      change how a job competes
  project get|set NAME [--weight N] [--guarantee N] [--burst N] [--max-queued N]
      how a project shares the farm with others
  pools [--json] | pool list [--json] | pool get NAME
      what pools can do, and how their workers are used
  pool set NAME [--speculate-after FACTOR|off] [--min N|auto] [--max N|auto] [--paused yes|no]
      how the workers of a pool are used, and how many the autoscaler may run
  top [--once]
      pools, autoscaler, queue, projects and workers, every second until q; --once: one time
  queue [--pool P] [--projects N] [--json]
      what waits and runs by pool, class and project, and why
  lora add FILE --name NAME [--version V] [--label K=V]... [--word W]... [--display-name T] [--pin]
      check an adapter (LoRA) and store it under a name that pictures can use
  lora check FILE [--model DIR | --pool P]
      say what is in a file and whether it fits: the model in DIR, or a running farm's
  lora list [--label K=V]... | show NAME | rm NAME[@VERSION] | alias NAME ALIAS=VERSION...
      | pin NAME | unpin NAME | prefetch NAME [--workers N] | where NAME
      look at adapters, remove them, name their versions, have workers fetch and keep them
  model check DIR [--deep]
      say whether a model is whole and what it runs as here; --deep reads every weight
  model prepare DIR --weights bf16|int8|int4 [--out DIR]
      write it again with smaller weights; goes on where a stopped run was
  model fetch PREFIX DIR
      bring a model from the object store; reads S3_ENDPOINT and its like
  bootstrap
      make the streams of a farm whose services may not, and its bucket; reads NATS_URL, S3_ENDPOINT
      and their like
  nats-users [--out DIR] [--pool NAME]... [--shards N]
      make keys for the services, and their rights for the configuration of a NATS server
  doctor
      say what this machine offers: Node, broker, store, model, weights, devices
  quickstart ["PROMPT"] [options of render]
      start a farm, render, stop it

Commands that talk to a running farm take --address HOST:PORT, and those of lora --project and
--pool. TIME is a time like
2030-01-31T12:00:00Z or a while like 90s, 30m, 2h, 3d.`;

/** What the usage says of one command: all entries that begin with its name. */
export function usageOf(command: string): string {
  const [, ...entries] = usage.split(/\n(?= {2}[a-z])/);
  // Behind the last one stands what is about all of them.
  const own = entries.filter((entry) => entry.match(/^ {2}([a-z-]+)/)?.[1] === command);
  return own.map((entry) => entry.split("\n\n")[0]).join("\n");
}
