/*
 * One message of QUEUE and two leaders, of which the first does not know that it is deposed.
 * Holds at every moment: an accepted task is stored or has its outcome; attempts never go down; a
 * leader grants no task whose outcome it was told or which ended before it served. Holds when
 * everything has come to rest: the outcome is there and no message is left over. Each -D of the
 * #ifdefs below breaks one rule and must be caught.
 */
#define ATTEMPTS_MAX 3

/* QUEUE: the task's message, its position in the log and what it says. */
bool live;
byte revision;
byte attempts;
byte newest;
bool accepted;
/* OUTCOMES: whether the task has one. That the first one stands is the other model's business. */
bool ended;
/* Attempts under way. */
byte running;

/* Takes the place of the message that is still at `expected`; `now_at` stays in a conflict. */
inline rewrite(expected, value, now_at) {
  if
#ifdef REWRITE_WITHOUT_REVISION
  :: true ->
#else
  :: live && revision == expected ->
#endif
     assert(value >= attempts);
     newest++;
     live = true;
     revision = newest;
     attempts = value;
     now_at = newest
#ifndef REWRITE_WITHOUT_REVISION
  :: else
#endif
  fi
}

/* Harmless where the message is gone or was rewritten. */
inline remove(expected) {
  if
  :: live && revision == expected -> live = false
  :: else
  fi
}

proctype gateway() {
  atomic {
    newest++;
    revision = newest;
    live = true;
    accepted = true
  }
}

/* Whoever renders: an attempt that any leader began may end the task, at any later moment. */
proctype workers() {
  end:
  do
  :: atomic { running > 0 -> running--; if :: ended = true :: true fi }
  od
}

/*
 * A term. It reads in this order: where OUTCOMES ends, the message of QUEUE, that task's outcome,
 * the outcomes since the first look. Then it serves, and hears of both logs in its own time.
 */
proctype leader(bool stays) {
  bool known, leased, told, cursor, late, due;
  byte at, heard, spent, expected;
  cursor = ended;
  atomic { known = live; at = revision; heard = revision; spent = attempts }
#ifndef NO_LOOK_UP
  atomic {
    if
    :: known && ended -> told = true; known = false; remove(at)
    :: else
    fi
  }
#endif
#ifdef FOLLOW_FROM_NOW
  cursor = ended;
#endif
  atomic {
    if
    :: ended && !cursor && !told -> told = true; if :: known -> known = false; remove(at) :: else fi
    :: else
    fi;
    late = ended
  }
  end:
  do
  /* News of OUTCOMES. */
  :: atomic {
       ended && !cursor && !told ->
       told = true;
       if :: known -> known = false; leased = false; remove(at) :: else fi
     }
  /* News of QUEUE. */
  :: atomic {
       live && revision > heard ->
       heard = revision;
       if
#ifndef FORGET_ENDED
       :: told -> remove(heard)
       :: else ->
#else
       :: true ->
#endif
          known = true;
          at = heard;
          if :: attempts > spent -> spent = attempts :: else fi
       fi
     }
  :: atomic {
       known && !leased && !due && spent < ATTEMPTS_MAX ->
       assert(!told && !late);
       leased = true;
       /* The grant may get lost. */
       if :: running++ :: true fi
     }
  /* Expired, or reported as failed: the message is to say so. */
  :: atomic {
       leased ->
       leased = false;
       spent++;
       expected = at;
       due = (spent < ATTEMPTS_MAX)
     }
  :: atomic {
       due ->
       due = false;
       rewrite(expected, spent, at);
       /* It ended meanwhile: what was just written goes too. */
       if :: told -> remove(at) :: else fi
     }
  :: atomic {
       known && !leased && !due && spent >= ATTEMPTS_MAX && !ended ->
#ifdef END_BEFORE_OUTCOME
       remove(at)
     }
     atomic {
       if :: !stays -> goto over :: true fi;
#endif
       ended = true
     }
  :: !stays -> goto over
  od;
over:
  skip
}

/* Enabled only by what must never be; then the assertion fails. */
proctype watch() {
  end:
  atomic { accepted && !live && !ended -> assert(false) }
}

/* Nothing else can move: everything has come to rest. */
proctype rest() {
  timeout -> assert(ended && !live)
}

init {
  atomic {
    run watch();
    run rest();
    run gateway();
    run workers();
    run leader(false);
    run leader(true)
  }
}
