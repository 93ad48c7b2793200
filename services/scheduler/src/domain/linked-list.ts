/** A list whose members leave from the middle in O(1): a waiting task may be canceled anywhere. */

export class ListNode<T> {
  readonly value: T;
  /** The list this node is in; undefined while it is in none. */
  list: LinkedList<T> | undefined = undefined;
  previous: ListNode<T> | undefined = undefined;
  next: ListNode<T> | undefined = undefined;

  constructor(value: T) {
    this.value = value;
  }
}

/** First in, first out, except for members that are removed. Iterate only while it rests. */
export class LinkedList<T> {
  size = 0;
  #head: ListNode<T> | undefined = undefined;
  #tail: ListNode<T> | undefined = undefined;

  get first(): T | undefined {
    return this.#head?.value;
  }

  /** Adds the node at the end; a node that is in a list leaves it first. */
  pushBack(node: ListNode<T>): void {
    node.list?.remove(node);
    node.list = this;
    node.previous = this.#tail;
    if (this.#tail === undefined) this.#head = node;
    else this.#tail.next = node;
    this.#tail = node;
    this.size += 1;
  }

  /** Takes the node out; harmless when it is not in this list. */
  remove(node: ListNode<T>): void {
    if (node.list !== this) return;
    if (node.previous === undefined) this.#head = node.next;
    else node.previous.next = node.next;
    if (node.next === undefined) this.#tail = node.previous;
    else node.next.previous = node.previous;
    node.list = undefined;
    node.previous = undefined;
    node.next = undefined;
    this.size -= 1;
  }

  *[Symbol.iterator](): IterableIterator<T> {
    for (let node = this.#head; node !== undefined; node = node.next) yield node.value;
  }
}
