import { codeName, HubError, mayReconnect } from '../errors';
import { CodeName, CODES } from '../generated';

describe('The range of a close code', () => {
  it.each([4000, 4001, 4009, 4499])('says reconnect: %d', code => {
    expect(mayReconnect(code)).toBe(true);
  });

  it.each([4500, 4501, 4518, 4999])('says stay away: %d', code => {
    expect(mayReconnect(code)).toBe(false);
  });

  it.each([1001, 1005, 1006, 1011, 1012, 1013, 3000, 5000])(
    'that is not ours says reconnect: %d',
    code => {
      expect(mayReconnect(code)).toBe(true);
    }
  );

  it('says stay away after a real end only', () => {
    expect(mayReconnect(1000)).toBe(false);
  });

  it('agrees with the code table in every row', () => {
    const rows = Object.values(CODES);
    expect(rows.length).toBeGreaterThan(20);
    for (const { number, retryable } of rows) {
      expect([number, mayReconnect(number)]).toEqual([number, retryable]);
    }
    expect(new Set(rows.map(row => row.number)).size).toBe(rows.length);
  });
});

describe('The name of a close code', () => {
  it('is that of its row', () => {
    for (const [name, row] of Object.entries(CODES)) {
      expect(codeName(row.number)).toBe(name);
    }
  });

  it('is null where there is no row', () => {
    expect([1000, 1006, 4499, 4999].map(codeName)).toEqual(Array(4).fill(null));
  });
});

describe('A HubError', () => {
  it.each(Object.keys(CODES) as CodeName[])(
    'of our own has the verdict of its row: %s',
    name => {
      const error = HubError.of(name, 'A sentence.');
      expect(error).toMatchObject({
        name: 'HubError',
        code: name,
        message: 'A sentence.',
        retryable: CODES[name].retryable,
        retryAfterMs: null,
        details: null
      });
      expect(error).toBeInstanceOf(Error);
    }
  );

  it('has what the server told, not what the table says', () => {
    const info = {
      code: 'of_a_newer_server',
      message: 'Later.',
      retryable: true,
      retry_after_ms: 0,
      details: { limit: 3 }
    };
    expect(HubError.from(info)).toMatchObject({
      code: 'of_a_newer_server',
      message: 'Later.',
      retryable: true,
      retryAfterMs: 0,
      details: { limit: 3 }
    });
  });

  it('of an error without the optional fields has nulls', () => {
    const info = { code: 'busy', message: '', retryable: true };
    expect(HubError.from(info)).toMatchObject({
      retryAfterMs: null,
      details: null
    });
  });
});
