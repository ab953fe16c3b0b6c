// Written by `python -m jupyter_ws_hub.typescript --service ws_hub_example.service:ExampleService` from the Python structs. Do not edit.
/* eslint-disable */

/** How far to count. */
export type CountParams = {
  to: number;
};

/** One item of a count. */
export type Counted = {
  number: number;
};

/** Whom to greet. What breaks a bound is refused as `invalid` before the method is called. */
export type GreetParams = {
  name: string;
};

/** A greeting. */
export type Greeting = {
  text: string;
};

/** Somebody has ticked. */
export type Tick = {
  note: string;
};

declare module 'jupyter-ws-hub' {
  interface Methods {
    /** Greet somebody. */
    'example.greet': {
      params: GreetParams;
      result: Greeting;
    };
    /** Tick once: it is in the topic's log when this is answered. */
    'example.tick': {
      params: Tick;
      result: null;
    };
  }
  interface Streams {
    /** Count from 1 on, one item for each number, no faster than the client takes them. */
    'example.count': {
      params: CountParams;
      item: Counted;
    };
  }
  interface Topics {
    'example/ticks': {
      events: {
        tick: Tick;
      };
      snapshot: null;
    };
  }
}

export {};
