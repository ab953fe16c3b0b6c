import { BinaryRig, setHidden } from '../../testing/binaryRig';
import { pass } from '../../testing/tools';
import { IScreen, TerminalOutput } from '../terminalScreen';

beforeEach(() => {
  jest.useFakeTimers();
});

afterEach(() => {
  setHidden(false);
  jest.restoreAllMocks();
  jest.useRealTimers();
});

/** A screen that parses when a test says so. */
class SlowScreen implements IScreen {
  isVisible = true;
  readonly waiting: Array<() => void> = [];

  whenParsed(done: () => void): void {
    this.waiting.push(done);
  }

  /** Everything that was written until now is parsed. */
  parse(): void {
    this.waiting.splice(0).forEach(done => done());
  }
}

const bytes = (text: string) => new TextEncoder().encode(text);

function rigged(screen: IScreen | null = null) {
  const messages: string[] = [];
  const parsed: Array<[number, number]> = [];
  const output = new TerminalOutput({
    message: text => messages.push((JSON.parse(text) as [string, string])[1]),
    screen: () => screen,
    parsed: (...one) => parsed.push(one)
  });
  return { messages, parsed, output };
}

describe('The output of a terminal', () => {
  it('cut at every byte is the same text', () => {
    const text = '\ufeffé€😀\u001b[1mz\ufeff';
    const { messages, output } = rigged();
    bytes(text).forEach((byte, n) =>
      output.write(Uint8Array.of(byte), 1, n + 1)
    );
    expect(messages.join('')).toBe(text);
    expect(messages).not.toContain('');
  });

  it('begins with whole characters after a clear, whatever came before', () => {
    const { messages, output } = rigged();
    output.write(bytes('€').subarray(0, 2), 1, 2);
    output.clear(2, 10);
    output.write(bytes('é'), 2, 12);
    expect(messages).toEqual(['\u001bc', 'é']);
  });

  it('that is no text is shown as such', () => {
    const { messages, output } = rigged();
    output.write(Uint8Array.of(0xff, 0x41), 1, 2);
    output.write(Uint8Array.of(0xe2), 1, 3);
    output.say('end');
    expect(messages.join('')).toBe('\ufffdA\ufffd\r\n[end]\r\n');
  });

  it('is parsed when the screen says so', () => {
    const screen = new SlowScreen();
    const { parsed, output } = rigged(screen);
    output.write(bytes('abc'), 1, 3);
    output.write(bytes('def'), 1, 6);
    expect([parsed, screen.waiting.length]).toEqual([[], 1]);
    screen.parse();
    expect(parsed).toEqual([[1, 3]]);
    screen.parse();
    expect(parsed).toEqual([
      [1, 3],
      [1, 6]
    ]);
    expect(screen.waiting.length).toBe(0);
  });

  it('is asked for often enough while much of it comes', () => {
    const screen = new SlowScreen();
    const { output } = rigged(screen);
    for (let n = 1; n <= 8; n++) {
      output.write(new Uint8Array(16 * 1024), 1, n * 16 * 1024);
    }
    expect(screen.waiting.length).toBe(8);
  });

  it('counts as parsed in a while where the screen is not known', async () => {
    const { parsed, output } = rigged();
    output.write(bytes('abc'), 1, 3);
    expect(parsed).toEqual([]);
    await pass(0);
    expect(parsed).toEqual([[1, 3]]);
  });

  it('counts as parsed where the screen cannot be asked', async () => {
    jest.spyOn(console, 'warn').mockImplementation(() => undefined);
    const { parsed, output } = rigged({
      isVisible: true,
      whenParsed: () => {
        throw new TypeError('write is not a function');
      }
    });
    output.write(bytes('abc'), 1, 3);
    await pass(0);
    expect(parsed).toEqual([[1, 3]]);
  });

  it('does not wait for ever for a screen that never answers, unless nobody looks', async () => {
    const { parsed, output } = rigged(new SlowScreen());
    setHidden(true);
    output.write(bytes('abc'), 1, 3);
    await pass(60_000);
    expect(parsed).toEqual([]);
    setHidden(false);
    await pass(5000);
    expect(parsed).toEqual([[1, 3]]);
    output.write(bytes('d'), 1, 4);
    output.dispose();
    expect(jest.getTimerCount()).toBe(0);
  });
});

describe('A terminal whose screen is slow', () => {
  async function slow(
    prepare: (rig: BinaryRig) => void = () => undefined
  ): Promise<[BinaryRig, SlowScreen]> {
    const screen = new SlowScreen();
    const rig = await new BinaryRig(one => {
      one.screens.find = () => screen;
      prepare(one);
    }).ready();
    return [rig, screen];
  }

  it('gets no more than the window, and the rest as it parses', async () => {
    const [rig, screen] = await slow();
    rig.terminal.write('x'.repeat(600_000));
    await pass(1000);
    expect(rig.screen.length).toBe(262_144);
    for (let n = 0; n < 50; n++) {
      screen.parse();
      await pass(60);
    }
    expect(rig.screen.length).toBe(600_000);
    expect(rig.terminal.mostUnderWay).toBeLessThanOrEqual(262_144);
    expect(rig.terminal.violations).toEqual([]);
  });

  it('acknowledges within 50 ms of parsing', async () => {
    const [rig, screen] = await slow();
    screen.parse();
    await pass(100);
    rig.terminal.write('abc');
    await pass(10);
    screen.parse();
    await pass(45);
    expect(rig.terminal.acks).not.toContain(3);
    await pass(10);
    expect(rig.terminal.acks).toContain(3);
  });

  it('answers no queries of the past, and all keys are sent', async () => {
    const [rig, screen] = await slow(({ terminal }) => {
      terminal.write('\u001b[6n past');
      terminal.history = 9;
    });
    const answers = [
      '\u001b[1;1R',
      '\u001b[?1;2c',
      '\u001b]11;rgb:0/0/0\u0007'
    ];
    const keys = ['q', '\u001b[1;2R', '\u001b[A', '\u001b'];
    [...answers, ...keys].forEach(text => rig.type(text));
    await pass(10);
    expect(rig.terminal.typed).toBe(keys.join(''));
    // The past is parsed: programs that ask now are answered.
    rig.terminal.write('\u001b[c');
    await pass(10);
    screen.parse();
    rig.type('\u001b[?1;2c');
    await pass(10);
    expect(rig.terminal.typed).toBe(`${keys.join('')}\u001b[?1;2c`);
  });

  it('tells whether it is seen', async () => {
    const [rig, screen] = await slow();
    rig.resize(24, 80);
    screen.isVisible = false;
    rig.screens.tell();
    rig.screens.tell();
    await pass(10);
    expect(rig.terminal.sizes.map(({ visible }) => visible)).toEqual([
      true,
      false
    ]);
    rig.server.last.cut();
    await rig.back();
    expect(rig.server.last.address.query?.['visible']).toBe('0');
  });
});
