/** How a typed record is read from JSON and written back: by a table of its fields, with what it does not know kept aside. */

import { type Json, kindOf, object } from "../envelope.js";
import { UnexpectedReplyError } from "../errors.js";
import { snake } from "../wire.js";

const ORIGIN = Symbol("origin");

/** A frozen record of the API. `JSON.stringify` gives the server's JSON again, without what is shown only once. */
export interface Model {
  /** The fields that this version does not know, as the server sent them. */
  readonly unknown: Json;
  toJSON(): Json;
}

/** How a value is read and written. */
export interface Kind<T> {
  read(value: unknown): T;
  write(value: T): unknown;
}

/** A field: how it is read, what it is when the server does not say, and whether it is kept out of logs. */
export interface Field<T> {
  readonly kind: Kind<T>;
  readonly needed?: boolean;
  readonly fallback?: T;
  readonly hidden?: boolean;
}

/** The table of a record's fields, `Own` being what it computes by itself. */
export type Fields<T extends Model, Own extends keyof T> = {
  readonly [Name in Exclude<keyof T, keyof Model | Own>]-?: Field<Exclude<T[Name], undefined>>;
};

/** What reads and writes one kind of record. */
export interface Codec<T extends Model> extends Kind<T> {
  readonly name: string;
  /** Read a JSON object; null and absent fields take their defaults. */
  decode(body: unknown): T;
  /** The JSON object that a record was read from, made again from its fields. */
  encode(record: T): Json;
}

interface Origin {
  /** The fields that were there, in their order. */
  readonly names: readonly string[];
  /** What cannot be made again from the fields: null, a time finer than milliseconds, a number that was sent as text. */
  readonly raw: Json;
}

interface Known extends Field<unknown> {
  readonly name: string;
  readonly wire: string;
}

/** Make the codec of a record from its fields and, where it has some, its own methods. */
export function model<T extends Model, Own extends keyof T = never>(
  name: string,
  fields: Fields<T, Own>,
  own?: Pick<T, Own> & ThisType<T>,
): Codec<T> {
  const known = Object.entries<Field<unknown>>(fields).map(([field, how]) => ({
    name: field,
    wire: snake(field),
    ...how,
  }));
  const wires = new Set(known.map((field) => field.wire));
  const shape = { [name]: class {} }[name] as new () => object;
  Object.defineProperties(shape.prototype, Object.getOwnPropertyDescriptors(own ?? {}));
  Object.defineProperty(shape.prototype, "toJSON", {
    value(this: T) {
      return written(this, known, false);
    },
  });
  const decode = (body: unknown): T => {
    const json = object(body);
    if (!json) throw new UnexpectedReplyError(`expected a ${name} as a JSON object, got ${kindOf(body)}`);
    return filled(new shape(), name, known, wires, json) as T;
  };
  const encode = (record: T): Json => written(record, known, true);
  return { name, decode, encode, read: decode, write: encode };
}

function filled(record: object, model: string, known: readonly Known[], wires: Set<string>, json: Json): object {
  const raw: Record<string, unknown> = {};
  for (const field of known) {
    const sent = json[field.wire];
    if (sent === undefined || sent === null) {
      if (field.needed) throw new UnexpectedReplyError(`a ${model} came without '${field.wire}'`);
      if (sent === null) raw[field.wire] = null;
      if (field.fallback !== undefined) put(record, field.name, field.fallback, field.hidden);
      continue;
    }
    const value = readField(model, field, sent);
    if (!same(field.kind.write(value), sent)) raw[field.wire] = sent;
    put(record, field.name, value, field.hidden);
  }
  put(record, "unknown", Object.fromEntries(Object.entries(json).filter(([name]) => !wires.has(name))), true);
  const origin: Origin = { names: Object.keys(json), raw };
  Object.defineProperty(record, ORIGIN, { value: origin });
  return Object.freeze(record);
}

function readField(model: string, field: Known, sent: unknown): unknown {
  try {
    return field.kind.read(sent);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new UnexpectedReplyError(`'${field.wire}' of a ${model} cannot be read: ${why}`);
  }
}

function written(record: Model, known: readonly Known[], whole: boolean): Json {
  const { names, raw } = (record as Model & { [ORIGIN]: Origin })[ORIGIN];
  const json: Record<string, unknown> = {};
  for (const name of names) {
    const field = known.find((one) => one.wire === name);
    if (!whole && field?.hidden) continue;
    if (name in raw) json[name] = raw[name];
    else json[name] = field ? field.kind.write((record as unknown as Json)[field.name]) : record.unknown[name];
  }
  return json;
}

function put(record: object, name: string, value: unknown, hidden = false): void {
  Object.defineProperty(record, name, { value, enumerable: !hidden });
}

function same(left: unknown, right: unknown): boolean {
  return left === right || (typeof left === "object" && JSON.stringify(left) === JSON.stringify(right));
}

/** Text. */
export const text: Kind<string> = { read: String, write: (value) => value };

/** A number; some are sent as text. */
export const number: Kind<number> = {
  read(value) {
    const read = typeof value === "number" ? value : Number.parseFloat(String(value));
    if (!Number.isFinite(read)) throw new TypeError(`${JSON.stringify(value)} is no number`);
    return read;
  },
  write: (value) => value,
};

/** Yes or no. */
export const flag: Kind<boolean> = { read: Boolean, write: (value) => value };

/** A moment; a `Date` knows milliseconds, and the server's text is given back as it was. */
export const moment: Kind<Date> = {
  read(value) {
    const read = new Date(String(value));
    if (Number.isNaN(read.getTime())) throw new TypeError(`${JSON.stringify(value)} is no time`);
    return read;
  },
  write: (value) => value.toISOString(),
};

/** An object whose keys are the user's. */
export const map: Kind<Json> = {
  read(value) {
    const read = object(value);
    if (!read) throw new TypeError(`expected an object, got ${kindOf(value)}`);
    return read;
  },
  write: (value) => value,
};

/** A list. */
export function list<T>(kind: Kind<T>): Kind<readonly T[]> {
  return {
    read(value) {
      if (!Array.isArray(value)) throw new TypeError(`expected a list, got ${kindOf(value)}`);
      return Object.freeze(value.map((item) => kind.read(item)));
    },
    write: (value) => value.map((item) => kind.write(item)),
  };
}

/** A record that refers to one made further down, or to itself. */
export function later<T>(kind: () => Kind<T>): Kind<T> {
  return { read: (value) => kind().read(value), write: (value) => kind().write(value) };
}

/** A field that is always there. */
export function needed<T>(kind: Kind<T>): Field<T> {
  return { kind, needed: true };
}

/** A field that is left out when the server does not say. */
export function maybe<T>(kind: Kind<T>): Field<T> {
  return { kind };
}

/** A field that has a value even when the server does not say. */
export function or<T>(kind: Kind<T>, fallback: T): Field<T> {
  return { kind, fallback };
}

/** A field that `console.log` and `JSON.stringify` leave out. */
export function hidden<T>(field: Field<T>): Field<T> {
  return { ...field, hidden: true };
}
