/**
 * One stream of events over several sessions of the engine. When an instance is lost, another hears the unfinished segment
 * once more; positions, ids and revisions go on, and nothing is given twice.
 */

import type * as Contract from '../engine/interfaces/auricle-speech-types.js';
import type { Segment } from '../types.js';
import { engineEvent, type EngineEvent } from './contract.js';

/** Takes the events of one session after another, and gives those of the stream. */
export class Continuity {
  /** Where in the stream the present session began. */
  #sessionStart = 0;
  /** Ids below this are of segments that are final. */
  #nextId = 0;
  #moveIds = 0;
  /** Where the last final ended. */
  #finalEnd = 0;
  #started = false;
  /** The latest partial of the segment under way. */
  #latest: Segment | undefined;
  /** What was given of the segment under way by the sessions before. */
  #before: Segment | undefined;
  #startedBefore = false;
  #ended = false;

  /** Where the present session began, in the stream. */
  get sessionStart(): number {
    return this.#sessionStart;
  }

  /** Whether somebody is speaking. */
  get isSpeaking(): boolean {
    return this.#started;
  }

  /** From here on, audio belongs to no segment that is final. */
  get finalEnd(): number {
    return this.#finalEnd;
  }

  /** Whether all was given. */
  get isEnded(): boolean {
    return this.#ended;
  }

  /** The next events are those of a new session, which begins at this position, at or after `finalEnd`. */
  restart(position: number): void {
    this.#sessionStart = position;
    this.#moveIds = this.#nextId;
    this.#before = this.#latest ?? this.#before;
    this.#latest = undefined;
    this.#startedBefore = this.#started;
  }

  /** Turns an event of the session into one of the stream, or into none where it was given before. */
  take(event: Contract.Event): EngineEvent | undefined {
    const moved = engineEvent(event, this.#sessionStart, this.#moveIds);
    switch (moved.type) {
      case 'speechstart': {
        const wasGiven = this.#startedBefore;
        this.#started = true;
        this.#startedBefore = false;
        return wasGiven ? undefined : moved;
      }
      case 'partial':
        return this.#partial(moved.segment);
      case 'final':
        return this.#final(moved.segment);
      case 'speechend':
        this.#started = false;
        return moved;
      case 'end':
        this.#ended = true;
        return moved;
    }
  }

  #partial(segment: Segment): EngineEvent | undefined {
    // Until it has heard as much as the session before, it would take back what was shown.
    if (this.#before !== undefined && segment.endSample < this.#before.endSample) {
      return undefined;
    }
    this.#latest = this.#later(segment);
    return { type: 'partial', segment: this.#latest };
  }

  #final(segment: Segment): EngineEvent {
    const last = this.#later(segment);
    this.#latest = undefined;
    this.#before = undefined;
    this.#nextId = segment.id + 1;
    this.#finalEnd = segment.endSample;
    return { type: 'final', segment: last };
  }

  /** The segment as a revision of what was given by the session before. */
  #later(segment: Segment): Segment {
    const before = this.#before;
    if (before === undefined) {
      return segment;
    }
    const isFirst = this.#latest === undefined;
    const settled = before.words.slice(0, before.settledWords);
    const isChanged = isFirst && settled.some(({ text }, index) => text !== segment.words[index]?.text);
    return {
      ...segment,
      revision: segment.revision + before.revision + 1,
      settledChanged: segment.settledChanged || isChanged,
    };
  }
}
