/** The feed as server-sent events: what was committed, to whoever watches. */
export { type EventFilter, EventHub, parseEventId } from './event-hub.ts'
