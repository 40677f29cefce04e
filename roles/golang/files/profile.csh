# Written by Slipway (slipway.node.golang). The next run overwrites changes made here.
if ( ":${PATH}:" !~ *:@BIN@:* ) setenv PATH "@BIN@:${PATH}"
