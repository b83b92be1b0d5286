/** The version of the client, said in one place; a test holds it to the package's. */
export const VERSION = "0.1.0";
