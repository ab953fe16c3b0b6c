import { spawnSync } from 'child_process';
import { join } from 'path';

import { pick, seeded } from '../../testing/random';
import { BlockDigest } from '../digest';

const REPOSITORY = join(__dirname, '..', '..', '..', '..');
const MIB = 1024 * 1024;
const SIZES = [0, 1, 4 * MIB - 1, 4 * MIB, 4 * MIB + 1, 9 * MIB];

/** Byte n of the file is n modulo 251. */
function content(size: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, n) => n % 251);
}

/** The roots as the server computes them. */
const PYTHON = `
import json
from jupyter_ws_hub.transfers.digest import BlockDigest

def root(size, block_bytes, name="xxh3-128"):
    digest = BlockDigest(name, block_bytes)
    digest.update((bytes(range(251)) * (size // 251 + 1))[:size])
    return digest.root()

sizes = json.loads(input())
print(json.dumps([[root(size, 4 << 20) for size in sizes], [root(100, block) for block in range(1, 102)],
    [root(size, 1000, "sha256") for size in (0, 1, 1000, 4321)]]))
`;

describe('The digest of a file', () => {
  let large: string[];
  let small: string[];
  let sha256: string[];

  beforeAll(() => {
    const python = join(REPOSITORY, '.venv', 'bin', 'python');
    const done = spawnSync(python, ['-c', PYTHON], {
      cwd: REPOSITORY,
      encoding: 'utf-8',
      input: JSON.stringify(SIZES)
    });
    if (done.status !== 0) {
      throw new Error(`${python}: ${done.stderr} ${done.error}`);
    }
    [large = [], small = [], sha256 = []] = JSON.parse(
      done.stdout
    ) as string[][];
  }, 30_000);

  it.each(SIZES.map((size, n) => [size, n]))(
    'is the one that Python computes: %d bytes',
    async (size, n) => {
      const digest = await BlockDigest.create();
      digest.update(content(size));
      expect(digest.byteOffset).toBe(size);
      expect(digest.root()).toBe(large[n]);
    }
  );

  it('is the one that Python computes with sha256 too', async () => {
    const digest = await BlockDigest.create(1000, 'sha256');
    const roots = [0, 1, 1000, 4321].map(size => {
      digest.reset();
      digest.update(content(size));
      return digest.root();
    });
    expect(roots).toEqual(sha256);
  });

  it('is the one that Python computes for every size of a block', async () => {
    const data = content(100);
    for (let block = 1; block < 102; block++) {
      const digest = await BlockDigest.create(block);
      digest.update(data);
      expect([block, digest.root()]).toEqual([block, small[block - 1]]);
    }
  });

  it('does not depend on how the file is cut into pieces', async () => {
    const size = 9 * MIB;
    const data = content(size);
    const random = seeded(5);
    const digest = await BlockDigest.create();
    for (let at = 0; at < size;) {
      const piece = data.subarray(at, at + pick(random, MIB));
      digest.update(piece);
      at += piece.length;
      expect(digest.byteOffset).toBe(at);
    }
    expect(digest.root()).toBe(large[5]);
  });

  it('of two files at the same time are two digests', async () => {
    const [a, b] = [await BlockDigest.create(7), await BlockDigest.create(7)];
    const data = content(100);
    for (let at = 0; at < 100; at += 10) {
      a.update(data.subarray(at, at + 10));
      b.update(data.subarray(0, 10));
    }
    expect(a.root()).toBe(small[6]);
    expect(b.root()).not.toBe(small[6]);
  });
});
