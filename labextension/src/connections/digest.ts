/**
 * The digest of a file that is read in order: xxh3-128 per block, and a root over the blocks' digests.
 * The counterpart of jupyter_ws_hub/transfers/digest.py.
 */
import { createXXHash128, IHasher } from 'hash-wasm';

import { BLOCK_BYTES } from '../protocol/generated';

export class BlockDigest {
  /** Load the hash's WebAssembly and start at byte 0. */
  static async create(blockBytes = BLOCK_BYTES): Promise<BlockDigest> {
    return new BlockDigest(
      await createXXHash128(),
      await createXXHash128(),
      blockBytes
    );
  }

  private constructor(
    private readonly _block: IHasher,
    private readonly _root: IHasher,
    private readonly _blockBytes: number
  ) {
    this._block.init();
    this._root.init();
  }

  /** How many bytes have been taken. */
  get byteOffset(): number {
    return this._byteOffset;
  }

  /** Take the bytes that follow. */
  update(data: Uint8Array): void {
    for (let at = 0; at < data.length;) {
      const part = data.subarray(at, at + this._blockBytes - this._inBlock);
      this._block.update(part);
      at += part.length;
      this._inBlock += part.length;
      this._byteOffset += part.length;
      if (this._inBlock === this._blockBytes) {
        this._endBlock();
      }
    }
  }

  /** The root digest in hex; nothing can be taken after it. */
  root(): string {
    if (this._inBlock > 0) {
      this._endBlock();
    }
    return this._root.digest('hex');
  }

  private _endBlock(): void {
    this._root.update(this._block.digest('binary'));
    this._block.init();
    this._inBlock = 0;
  }

  private _byteOffset = 0;
  private _inBlock = 0;
}
