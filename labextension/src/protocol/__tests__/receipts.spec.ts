import { ACK_CHARACTERS, Receipts } from '../receipts';

const take = (receipts: Receipts) => receipts.take(() => 99);

describe('What was consumed', () => {
  it('is not told before it is due', () => {
    const receipts = new Receipts();
    receipts.received(ACK_CHARACTERS - 1);
    for (let n = 0; n < 15; n++) {
      receipts.settled(1);
    }
    expect(take(receipts)).toBeNull();
  });

  it('is told all at once when a part of it is due, and then not again', () => {
    const receipts = new Receipts();
    receipts.received(1);
    receipts.received(ACK_CHARACTERS);
    receipts.settled(1);
    expect(take(receipts)).toEqual({ type: 'ack', frames: 2, done: 99 });
    expect(take(receipts)).toBeNull();
    receipts.asked();
    expect(take(receipts)).toBeNull();
  });

  it('is told of outcomes from connection to connection, of frames anew', () => {
    const receipts = new Receipts();
    receipts.received(ACK_CHARACTERS);
    receipts.settled(1);
    receipts.opened();
    expect(take(receipts)).toBeNull();
    receipts.received(1);
    receipts.asked();
    expect(take(receipts)).toEqual({ type: 'ack', frames: 1, done: 99 });
  });

  it('is told of outcomes above one that is not there yet, once', () => {
    const receipts = new Receipts();
    [3, 5, 6].forEach(ref => receipts.settled(ref));
    receipts.asked();
    expect(receipts.take(() => 3)).toEqual({
      type: 'ack',
      done: 3,
      also: [5, 6]
    });
    receipts.settled(7);
    receipts.asked();
    expect(receipts.take(() => 3)).toEqual({ type: 'ack', done: 3, also: [7] });
  });

  it('of frames waits while it is held, and is told when that ends', () => {
    const receipts = new Receipts();
    receipts.hold(true);
    receipts.received(ACK_CHARACTERS);
    receipts.asked();
    expect(take(receipts)).toBeNull();
    receipts.settled(1);
    receipts.asked();
    expect(take(receipts)).toEqual({ type: 'ack', done: 99 });
    receipts.hold(false);
    expect(take(receipts)).toEqual({ type: 'ack', frames: 1 });
  });
});
