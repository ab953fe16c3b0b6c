import { pick, seeded } from '../../testing/random';
import {
  CONTROL_RESERVE_BYTES,
  MAX_HELD_BYTES,
  TerminalInput
} from '../terminalInput';

const text = (payloads: readonly Uint8Array[]) =>
  payloads.map(one => new TextDecoder().decode(one));

/** Input of a client that is connected; the server takes up to `limit` bytes of text. */
function connected(limit = 1e9): TerminalInput {
  const input = new TerminalInput();
  input.resume(0, limit + CONTROL_RESERVE_BYTES, false);
  return input;
}

describe('What is typed', () => {
  it('is not sent before the server said welcome', () => {
    const input = new TerminalInput();
    input.type('a');
    expect([input.take(), input.sent]).toEqual([[], 0]);
    input.resume(0, 1000, true);
    expect(text(input.take())).toEqual(['a']);
  });

  it('is sent once', () => {
    const input = connected();
    input.type('a');
    expect(text(input.take())).toEqual(['a']);
    expect([input.take(), input.isAwaited]).toEqual([[], true]);
    expect(input.acknowledge(1, 1000)).toBe(true);
    expect(input.acknowledge(1, 1000)).toBe(false);
    expect([input.isAwaited, input.pendingBytes]).toEqual([false, 0]);
  });

  it('goes into frames of at most 64 KiB, cut between characters', () => {
    const input = connected();
    const typed = `x${'ü€😀'.repeat(30_000)}`;
    input.type(typed);
    const payloads = input.take();
    expect(payloads.every(({ length }) => length <= 65_536)).toBe(true);
    expect(text(payloads).join('')).toBe(typed);
    expect(text(payloads).join('')).not.toContain('\ufffd');
  });

  it('is sent no further than the server allows', () => {
    const input = connected(3);
    input.type('abcdef');
    expect(text(input.take())).toEqual(['abc']);
    input.acknowledge(3, 5 + CONTROL_RESERVE_BYTES);
    expect(text(input.take())).toEqual(['de']);
    // An older limit that comes late takes nothing back.
    input.acknowledge(3, 3);
    input.acknowledge(5, 6 + CONTROL_RESERVE_BYTES);
    expect(text(input.take())).toEqual(['f']);
  });

  it('and is not acknowledged is sent again from where the server got to', () => {
    const input = connected();
    input.type('abcdef');
    input.take();
    input.acknowledge(1, 1000);
    input.pause();
    input.type('gh');
    expect(input.take()).toEqual([]);
    expect(input.resume(4, 1000, false)).toBe(0);
    expect(text(input.take())).toEqual(['efgh']);
  });

  it('and which the server may have forgotten is not sent again, and counted in characters', () => {
    const input = connected();
    input.type('aé€😀');
    input.take();
    input.acknowledge(1, 1000);
    input.pause();
    input.type('new');
    expect(input.resume(input.sent, 1e6, true)).toBe(3);
    expect([text(input.take()), input.sent]).toEqual([['new'], 13]);
  });

  it.each([2, 9])(
    'is neither doubled nor mixed where the server counts wrongly: %d',
    accepted => {
      const input = connected();
      input.type('abcdef');
      input.take();
      input.acknowledge(4, 1000);
      input.type('gh');
      expect(input.resume(accepted, 1e6, false)).toBe(2);
      expect(text(input.take())).toEqual(['gh']);
      expect(input.sent).toBe(accepted + 2);
    }
  );

  it('is bounded, whole and without holes', () => {
    const input = new TerminalInput();
    expect(input.type('x'.repeat(MAX_HELD_BYTES))).toBe(true);
    expect(input.type('y')).toBe(false);
    input.resume(0, 1000, false);
    input.take();
    // Room there is, but what was refused would be missing before it.
    expect(input.type('z')).toBe(false);
    input.acknowledge(900, MAX_HELD_BYTES + 1000);
    input.take();
    expect(input.type('z')).toBe(true);
    expect(text(input.take())).toEqual(['z']);
  });

  it('is refused whole where it is too long', () => {
    const input = connected();
    expect(input.type('é'.repeat(MAX_HELD_BYTES / 2 + 1))).toBe(false);
    expect(input.take()).toEqual([]);
  });

  it('key by key stays small', () => {
    const input = new TerminalInput();
    for (let n = 0; n < 100_000; n++) {
      input.type('k');
    }
    input.resume(0, 1e6, false);
    expect(text(input.take()).join('')).toBe('k'.repeat(100_000));
  });
});

describe('A control character', () => {
  it.each(['\x03', '\x1c', '\x1a'])('goes alone: %j', control => {
    const input = new TerminalInput();
    ['a', 'b', control, 'c', control, control].forEach(key => input.type(key));
    input.resume(0, 1000, false);
    const frames = ['ab', control, 'c', control, control];
    expect(text(input.take())).toEqual(frames);
    // After a break, too.
    input.pause();
    input.resume(1, 1000, false);
    expect(text(input.take())).toEqual(['b', ...frames.slice(1)]);
  });

  it('in a text is part of it', () => {
    const input = connected();
    input.type('a\x03b');
    expect(text(input.take())).toEqual(['a\x03b']);
  });

  it('drops what is held back for want of a limit, and is sent', () => {
    const input = connected(2);
    input.type('abcdef');
    expect(text(input.take())).toEqual(['ab']);
    input.type('\x03');
    input.type('ls\r');
    expect(text(input.take())).toEqual(['\x03']);
    expect([input.sent, input.pendingBytes]).toEqual([3, 6]);
    input.acknowledge(3, 1000);
    expect(text(input.take())).toEqual(['ls\r']);
  });

  it('that drops something keeps what was sent before', () => {
    const input = connected(4);
    ['a', '\x03', 'bcdef', '\x1c'].forEach(key => input.type(key));
    expect(text(input.take())).toEqual(['a', '\x03', 'bc', '\x1c']);
    input.pause();
    input.resume(1, 1000, false);
    expect(text(input.take())).toEqual(['\x03', 'bc', '\x1c']);
  });

  it('drops nothing that was only typed while away', () => {
    const input = new TerminalInput();
    ['abc', '\x03', 'd'].forEach(key => input.type(key));
    input.resume(0, 1000, false);
    expect(text(input.take())).toEqual(['abc', '\x03', 'd']);
  });

  it('is taken though too much is held, and sent though nothing is read', () => {
    const input = connected(1);
    input.type('x'.repeat(MAX_HELD_BYTES));
    input.take();
    expect(input.type('x')).toBe(true);
    expect(input.type('y')).toBe(false);
    expect(input.type('\x03')).toBe(true);
    expect(text(input.take())).toEqual(['\x03']);
  });

  it('waits when even its reserve is used up', () => {
    const input = new TerminalInput();
    input.resume(0, 2, false);
    ['\x03', '\x03', '\x03'].forEach(key => input.type(key));
    expect(text(input.take())).toEqual(['\x03', '\x03']);
    input.acknowledge(2, 4);
    expect(text(input.take())).toEqual(['\x03']);
  });
});

describe('Over breaks at every byte', () => {
  /** A server that loses what comes after `cutAt` bytes, and then says what it has. */
  function run(keys: readonly string[], random: () => number): string {
    const input = new TerminalInput();
    let taken: number[] = [];
    let at = 0;
    for (
      let n = 0;
      n < 10_000 && (at < keys.length || input.pendingBytes);
      n++
    ) {
      const limit = taken.length + 70 + pick(random, 200);
      expect(input.resume(taken.length, limit, false)).toBe(0);
      for (let round = pick(random, 6); round >= 0; round--) {
        for (let some = pick(random, 4); some > 0 && at < keys.length; some--) {
          input.type(keys[at++]!);
        }
        const payloads = input.take();
        const arrives = pick(random, payloads.length + 1);
        taken = taken.concat(
          ...payloads.slice(0, arrives).map(one => [...one])
        );
        if (arrives < payloads.length) {
          break;
        }
        if (random() < 0.7) {
          input.acknowledge(
            taken.length,
            taken.length + 70 + pick(random, 200)
          );
        }
      }
      input.pause();
    }
    return new TextDecoder().decode(Uint8Array.from(taken));
  }

  it('nothing is lost or doubled', () => {
    for (let seed = 0; seed < 200; seed++) {
      const random = seeded(seed);
      const keys = Array.from(
        { length: 60 },
        (_, n) =>
          ['é', '€', '😀', `${n} `.repeat(1 + pick(random, 40))][
            pick(random, 4)
          ]!
      );
      expect(run(keys, random)).toBe(keys.join(''));
    }
  });
});
