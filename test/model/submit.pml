/*
 * One request, tried at two gateways at once, again and again until the client hears a plain yes
 * or no. Answers of the broker get lost, and the queue is full now and then.
 * Holds at every moment: after a yes the job is admitted, its tasks are stored or ended, and none
 * of them is canceled; every yes names the same job. Holds when everything has come to rest: after
 * a no and without a yes, nothing of the request is live. Each -D of the #ifdefs below breaks one
 * rule and must be caught.
 */
#define TASKS 2
#define GENERATIONS 2
/* How often an answer gets lost, and how often the queue is full. */
#define LOST_MAX 2
#define FULL_MAX 2

#define NONE 0
#define RENDERED 1
#define CANCELED 2

#define OPEN 1
#define ADMITTED 2
#define VOID 3

/* By generation: the job's record and its revision; each rewrite of it makes another one. */
byte record[GENERATIONS];
byte revision[GENERATIONS];
/* By generation and task: the message of QUEUE and the outcome. */
bool live[4];
byte outcome[4];
byte lostCount, fullCount;
/* What the client was told. */
bool yes, no;
byte yesJob;

#define task(job, index) (job * TASKS + index)
#define is_safe(t) ((live[t] || outcome[t] != NONE) && outcome[t] != CANCELED)

#ifdef ADMIT_WITHOUT_REVISION
#define is_blind(state) state == ADMITTED
#else
#ifdef VOID_WITHOUT_REVISION
#define is_blind(state) state == VOID
#else
#define is_blind(state) false
#endif
#endif

/* Replaces a record that is still at `expected`. */
inline update(job, expected, state, stored) {
  if
  :: revision[job] == expected || is_blind(state) ->
     record[job] = state;
     revision[job]++;
     stored = true
  :: else -> stored = false
  fi
}

/* One CANCELED outcome for each task that has none. */
inline cancel(job) {
  index = 0;
  do
  :: atomic {
       index < TASKS ->
       if :: outcome[task(job, index)] == NONE -> outcome[task(job, index)] = CANCELED :: else fi;
       index++
     }
  :: atomic { index == TASKS -> index = 0; break }
  od
}

/* The answer to what was just done gets lost; the client starts over. */
inline may_get_lost() {
  if
  :: lostCount < LOST_MAX -> lostCount++; job = 0; goto try
  :: true
  fi
}

proctype gateway() {
  byte job, seen, index, added;
  bool stored;
try:
  added = 0; index = 0;
  /* The record: its own, or the one a former try left. */
  atomic {
    if
    :: record[job] == NONE ->
#ifdef ADMIT_FIRST
       record[job] = ADMITTED;
#else
       record[job] = OPEN;
#endif
       revision[job] = 1;
       seen = 1;
       may_get_lost()
    :: record[job] == OPEN -> seen = revision[job]
    :: record[job] == ADMITTED -> goto accept
    :: record[job] == VOID -> goto next
    fi
  }
  /* Every task, if it is not there yet. */
  do
  :: atomic {
       index < TASKS ->
       if
       :: live[task(job, index)]
       :: fullCount < FULL_MAX && !live[task(job, index)] -> fullCount++; goto refuse
       :: !live[task(job, index)] -> live[task(job, index)] = true; added++; may_get_lost()
       fi;
       index++
     }
  :: atomic { index == TASKS -> index = 0; break }
  od;
  atomic {
    update(job, seen, ADMITTED, stored);
    if
    :: stored -> may_get_lost(); goto accept
    :: !stored && record[job] == ADMITTED -> goto accept
    :: else
    fi
  }
  cancel(job);
  goto deny;

refuse:
  /* Every try stores the first task first: without it nothing was stored. */
  atomic {
    if
    :: added == 0 && !live[task(job, 0)] && outcome[task(job, 0)] == NONE -> goto deny
    :: else
    fi
  }
#ifdef CANCEL_BEFORE_VOID
  cancel(job);
#endif
  atomic {
    update(job, seen, VOID, stored);
    if
    :: !stored && record[job] == ADMITTED -> goto accept
    :: else -> may_get_lost()
    fi
  }
#ifndef CANCEL_BEFORE_VOID
  cancel(job);
#endif
  goto deny;

next:
  /* Whoever voided it may have died before its tasks were canceled. */
  cancel(job);
#ifdef VOID_IS_REUSED
  atomic { if :: record[job] == VOID -> record[job] = OPEN; revision[job]++ :: else fi };
  goto try;
#endif
  atomic {
    job++;
    if
    :: job < GENERATIONS -> goto try
    :: else -> job = 0; goto deny
    fi
  }

accept:
  atomic { assert(!yes || yesJob == job); yes = true; yesJob = job; goto over }
deny:
  no = true;
over:
  skip
}

/* Renders what is live, until it has no worker any more, and removes what has its outcome. */
#define tend(t) \
  :: atomic { live[t] && outcome[t] == NONE && hasWorkers -> outcome[t] = RENDERED } \
  :: atomic { live[t] && outcome[t] != NONE -> live[t] = false }

proctype farm() {
  bool hasWorkers = true;
  end:
  do
  tend(0)
  tend(1)
  tend(2)
  tend(3)
  :: hasWorkers -> hasWorkers = false
  od
}

/* Enabled only by what must never be; then the assertion fails. */
proctype watch() {
  end:
  if
  :: atomic { yes && record[yesJob] != ADMITTED -> assert(false) }
  :: atomic {
       yes && !(is_safe(task(yesJob, 0)) && is_safe(task(yesJob, 1))) -> assert(false)
     }
  fi
}

/* Nothing else can move: everything has come to rest. */
proctype rest() {
  timeout -> assert(yes || (!live[0] && !live[1] && !live[2] && !live[3]))
}

init {
  atomic {
    run watch();
    run rest();
    run farm();
    run gateway();
    run gateway()
  }
}
