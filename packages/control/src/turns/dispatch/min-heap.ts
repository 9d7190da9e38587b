// A binary heap with the least element first.

export interface MinHeap<T> {
  push(item: T): void;
  /** Removes and returns the least element; undefined if empty. */
  pop(): T | undefined;
}

export function createMinHeap<T>(isLess: (a: T, b: T) => boolean, items: readonly T[]): MinHeap<T> {
  const heap: T[] = [];
  const at = (index: number): T => heap[index] as T;
  const swap = (a: number, b: number): void => {
    const item = at(a);
    heap[a] = at(b);
    heap[b] = item;
  };
  const push = (item: T): void => {
    heap.push(item);
    for (let i = heap.length - 1; i > 0;) {
      const parent = (i - 1) >> 1;
      if (!isLess(at(i), at(parent))) return;
      swap(i, parent);
      i = parent;
    }
  };
  const sink = (): void => {
    for (let i = 0; ;) {
      let least = i;
      for (const child of [2 * i + 1, 2 * i + 2]) {
        if (child < heap.length && isLess(at(child), at(least))) least = child;
      }
      if (least === i) return;
      swap(i, least);
      i = least;
    }
  };
  for (const item of items) push(item);
  return {
    push,
    pop() {
      const first = heap[0];
      const last = heap.pop();
      if (heap.length > 0 && last !== undefined) {
        heap[0] = last;
        sink();
      }
      return first;
    },
  };
}
