/** What a group of calls is about: one sandbox, or the whole tenant. */

/** The two members that name a sandbox on the wire; empty for the tenant. */
export type Resource = {
  readonly resource_id?: string;
  readonly resource_type?: string;
};

/** The resource of a sandbox's calls, or without one of the tenant's. */
export function resource(sandboxId?: string): Resource {
  return sandboxId === undefined ? {} : { resource_id: sandboxId, resource_type: "sandbox" };
}
