/*
 * One task, two leaders, attempts that crash or sleep as long as they like, a caller who cancels.
 * Holds at every moment: an accepted task is stored or has its outcome; an outcome never changes;
 * the picture that it points to exists. Holds when everything has come to rest: the outcome is
 * there and the queue is empty. Each -D of the #ifdefs below breaks one rule and must be caught.
 *
 * Time does not exist here: a lease may expire at any moment after it was granted, so a frozen
 * worker is an attempt that is not scheduled for a while.
 */
#define ATTEMPTS_MAX 2
#define ATTEMPTS_BEGUN_MAX 3
/* Fences of one leader; with the epoch as upper half they never meet those of the other. */
#define FENCES 3
#define fence_of(epoch, count) (epoch * FENCES + count)

#define NONE 0
#define SUCCEEDED 1
#define FAILED 2
#define CANCELED 3

/* QUEUE: the task's message. Submitting is over before this model begins. */
bool live = true;
/* OUTCOMES: the task's one message. */
byte kind = NONE;
byte winner;
/* The object store, by fence. */
bool picture[9];
byte attempts;
/* Bounds the search: further grants get lost. */
byte begun;

#ifdef KEY_WITHOUT_FENCE
#define key_of(fence) 0
#else
#define key_of(fence) fence
#endif

/* "Stored" where the subject was empty, or where the same attempt stands there already. */
inline publish(told, fence, won) {
  atomic {
    if
#ifdef OVERWRITE_OUTCOME
    :: true ->
#else
    :: kind == NONE ->
#endif
       assert(kind == NONE);
       kind = told;
       winner = fence;
       won = true
#ifndef OVERWRITE_OUTCOME
#ifdef REPEAT_IS_DEFEAT
    :: else -> won = false
#else
    :: else -> won = (kind == told && winner == fence)
#endif
#endif
    fi
  }
}

/*
 * One attempt of a worker. It may die between any two of its steps; a choice that touches nothing
 * but its own fate is made together with the step before it.
 */
proctype attempt(byte fence) {
  bool won;
#ifdef PUBLISH_BEFORE_UPLOAD
  atomic { publish(SUCCEEDED, fence, won); if :: true :: goto dead fi }
  picture[key_of(fence)] = true;
#else
  atomic { picture[key_of(fence)] = true; if :: true :: goto dead fi }
  atomic {
    publish(SUCCEEDED, fence, won);
    if
    :: true
    /* The answer got lost, and it is published again, or nobody learns whether it was stored. */
    :: goto again
    :: goto doubt
    fi
  }
#endif
judge:
  if
  :: won
  :: !won -> picture[key_of(fence)] = false
  fi;
  goto dead;
again:
  publish(SUCCEEDED, fence, won);
  goto judge;
doubt:
#ifdef REMOVE_IN_DOUBT
  picture[key_of(fence)] = false;
#endif
dead:
  skip
}

/*
 * A term of leadership. The first leader may stop at any moment, and goes on for as long as it
 * likes after the second one has begun; the second one stays.
 */
proctype leader(byte epoch) {
  byte granted, spent;
  bool leased, ignored;
  atomic {
    spent = attempts;
    /* A worker may tell of a lease that the other leader granted; then it is kept. */
    if :: epoch == 2 -> leased = true :: true fi
  }
  do
  :: atomic {
       kind != NONE ->
       live = false;
       goto over
     }
  :: atomic {
       kind == NONE && !leased && spent < ATTEMPTS_MAX ->
       leased = true;
       granted++;
       /* Or the grant gets lost on the way. */
       if
       :: begun < ATTEMPTS_BEGUN_MAX -> begun++; run attempt(fence_of(epoch, granted))
       :: true
       fi;
#ifdef REMOVE_AT_GRANT
       live = false
#endif
     }
  /* Expired, or reported as failed. */
  :: atomic {
       leased ->
       leased = false;
       spent++;
       if
       :: spent > attempts -> attempts = spent
       :: else
       fi
     }
  :: !leased && spent >= ATTEMPTS_MAX ->
     publish(FAILED, fence_of(epoch, granted), ignored)
  :: epoch == 1 -> goto over
  od;
over:
  skip
}

/* Cancels, or does not. */
proctype caller() {
  bool ignored;
  if
  :: true
  :: publish(CANCELED, 0, ignored)
  fi
}

/* Enabled only by what must never be; then the assertion fails. */
proctype watch() {
  end:
  if
  :: atomic { !live && kind == NONE -> assert(false) }
  :: atomic { kind == SUCCEEDED && !picture[key_of(winner)] -> assert(false) }
  fi
}

/* Nothing else can move: everything has come to rest. */
proctype rest() {
  timeout -> assert(kind != NONE && !live)
}

init {
  atomic {
    run watch();
    run rest();
    run caller();
    run leader(1);
    run leader(2)
  }
}
