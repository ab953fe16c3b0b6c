import { BinaryRig } from '../../testing/binaryRig';
import { pick, seeded } from '../../testing/random';
import { pass, until } from '../../testing/tools';

beforeEach(() => {
  jest.useFakeTimers();
});

afterEach(() => {
  jest.restoreAllMocks();
  jest.useRealTimers();
});

const TEXT = ['é', '€', '😀', '\u001b[1m', 'ordinary ', '\r\n'];

/** Text with many characters of several bytes. */
function someText(random: () => number, pieces: number): string {
  return Array.from({ length: pieces }, () => TEXT[pick(random, 6)]).join('');
}

describe('A terminal whose connection breaks', () => {
  it('goes on without a word on the screen', async () => {
    const rig = await new BinaryRig().ready();
    rig.terminal.write('before');
    await pass(100);
    for (let n = 0; n < 3; n++) {
      rig.server.last.cut();
      rig.terminal.write(` while away ${n}`);
      await rig.back();
    }
    expect(rig.screen).toBe('before while away 0 while away 1 while away 2');
    expect([rig.clears, rig.opens, rig.closes]).toEqual([1, 1, []]);
    expect(rig.messages.filter(([type]) => type === 'setup').length).toBe(1);
  });

  it('is tried again at once, then in growing pauses, without an end', async () => {
    const rig = await new BinaryRig().ready();
    await pass(5000);
    rig.server.refusing = true;
    rig.server.last.cut();
    await pass(3);
    expect(rig.server.sockets.length).toBe(2);
    await pass(600_000);
    expect(rig.server.sockets.length).toBeGreaterThan(90);
    rig.server.refusing = false;
    await rig.back();
    expect(rig.closes).toEqual([]);
  });

  it('comes back at once when the browser is online or looked at again', async () => {
    const rig = await new BinaryRig().ready();
    rig.server.refusing = true;
    rig.server.last.cut();
    await pass(60_000);
    rig.server.refusing = false;
    rig.socket.hurry();
    await pass(5);
    expect(rig.status.state).toBe('connected');
  });

  it('cut in the middle of a character shows it whole', async () => {
    const rig = await new BinaryRig().ready();
    for (const byte of new TextEncoder().encode('€😀é')) {
      rig.terminal.write([byte]);
      await pass(10);
      rig.server.last.cut();
      await rig.back();
    }
    expect(rig.screen).toBe('€😀é');
  });

  it('gets what was typed meanwhile, in order', async () => {
    const rig = await new BinaryRig().ready();
    rig.type('a');
    rig.server.last.cut();
    [...'bcd'].forEach(key => rig.type(key));
    expect(rig.socket.bufferedAmount).toBe(4);
    await rig.back();
    expect(rig.terminal.typed).toBe('abcd');
    expect(rig.socket.bufferedAmount).toBe(0);
  });

  it('gets nothing twice when only the acknowledgement was lost', async () => {
    const rig = await new BinaryRig().ready();
    rig.type('rm x\r');
    await pass(1);
    expect(rig.terminal.typed).toBe('rm x\r');
    rig.server.last.cut();
    await rig.back();
    expect(rig.terminal.typed).toBe('rm x\r');
  });

  it('tells its last size again', async () => {
    const rig = await new BinaryRig().ready();
    rig.resize(24, 80);
    await pass(10);
    rig.server.last.cut();
    rig.resize(30, 90);
    await rig.back();
    expect(rig.server.last.address.query).toMatchObject({
      ...{ rows: '30', columns: '90' }
    });
  });

  it.each([1, 2, 3, 4, 5, 6, 7, 8])(
    'loses and doubles nothing over random cuts, in both directions: %d',
    async seed => {
      const random = seeded(seed);
      const rig = await new BinaryRig(({ terminal }) => {
        terminal.frameBytes = 1 + pick(random, 40);
        terminal.inputRoom = 120 + pick(random, 200);
      }).ready();
      let [written, typed, cuts] = ['', '', 0];
      for (let n = 0; n < 60; n++) {
        const output = someText(random, pick(random, 30));
        const keys = someText(random, 1 + pick(random, 3));
        rig.terminal.write(output);
        rig.type(keys);
        [written, typed] = [written + output, typed + keys];
        await pass(pick(random, 8));
        if (random() < 0.5 && !rig.server.last.isOver) {
          rig.server.last.cut();
          cuts += 1;
        } else if (random() < 0.6) {
          // Somewhere in what the new connection brings.
          await rig.back();
          await pass(pick(random, 8));
        }
      }
      await rig.back();
      await until('all was taken', () => rig.socket.bufferedAmount === 0);
      await pass(1000);
      expect(rig.screen).toBe(written);
      expect(rig.terminal.typed).toBe(typed);
      expect([rig.clears, rig.terminal.violations]).toEqual([1, []]);
      expect(cuts).toBeGreaterThan(10);
      rig.socket.close();
    }
  );

  it('on a server that forgot the client says what may be lost, and sends the rest', async () => {
    const rig = await new BinaryRig().ready();
    rig.terminal.isDeaf = true;
    rig.type('€ lost');
    await pass(10);
    rig.server.last.cut();
    rig.terminal.clients.clear();
    rig.type('kept');
    await rig.back();
    const [client] = rig.terminal.clients.values();
    expect(client?.input.slice(8)).toEqual([...Buffer.from('kept')]);
    expect(rig.notices).toEqual([
      {
        ...{ name: '1', level: 'warning' },
        text: 'The last 6 characters that you typed may be lost.'
      }
    ]);
  });

  it('for too long shows what there is still, on a cleared screen', async () => {
    const rig = await new BinaryRig().ready();
    rig.terminal.write('old €'.slice(0, 4));
    // The first byte of a character, whose rest is lost.
    rig.terminal.write([0xe2]);
    await pass(100);
    rig.server.last.cut();
    rig.terminal.write('lost kept');
    rig.terminal.ringStart = 10;
    await rig.back();
    expect([rig.screen, rig.clears]).toEqual(['kept', 2]);
  });

  it('counts on after a gap', async () => {
    const rig = await new BinaryRig().ready();
    rig.terminal.write('abc');
    await pass(100);
    rig.terminal.output.push(...Buffer.from('lost'));
    rig.terminal.gap(7);
    rig.terminal.write('kept');
    await pass(100);
    expect([rig.screen, rig.clears]).toEqual(['kept', 2]);
    rig.server.last.cut();
    await rig.back();
    expect([rig.screen, rig.clears]).toEqual(['kept', 2]);
    expect(rig.terminal.violations).toEqual([]);
  });

  it('takes 1 MiB of what is typed meanwhile, and says so when it is more', async () => {
    const rig = await new BinaryRig().ready();
    rig.server.refusing = true;
    rig.server.last.cut();
    const half = 'x'.repeat(512 * 1024);
    [half, half, 'y', 'z'].forEach(text => rig.type(text));
    expect(rig.notices).toEqual([
      { name: '1', level: 'error', text: expect.stringMatching(/not taken/) }
    ]);
    expect(rig.status.lastError).toMatch(/not taken/);
    rig.server.refusing = false;
    await rig.back();
    await until('all was taken', () => rig.socket.bufferedAmount === 0);
    expect(rig.terminal.typed === half + half).toBe(true);
    rig.type('again');
    await pass(10);
    expect(rig.terminal.typed.endsWith('xagain')).toBe(true);
    expect(rig.terminal.violations).toEqual([]);
  });

  it('lets Ctrl-C through to a program that reads nothing', async () => {
    const rig = await new BinaryRig(({ terminal }) => {
      terminal.inputRoom = 1000;
    }).ready();
    rig.terminal.isStuck = true;
    rig.type('p'.repeat(100_000));
    await pass(100);
    rig.type('\x03');
    rig.type('ls\r');
    await pass(100);
    expect(rig.terminal.typed).toBe(`${'p'.repeat(936)}\x03ls\r`);
    expect(rig.terminal.payloads.map(({ length }) => length)).toEqual([
      936, 1, 3
    ]);
    expect(rig.terminal.violations).toEqual([]);
  });
});
