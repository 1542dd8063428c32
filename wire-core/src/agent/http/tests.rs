mod answers;
mod harness;
mod proxied;
mod secured;
mod streamed;
